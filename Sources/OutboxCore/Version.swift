/// The version of all three programs.
package let outboxVersion = "0.1.0"
