/// The table of `MetaError`: code, title, what it asks of us, its source, its meaning, its remedy.
///
/// Not here are codes of calls outboxd does not make. 200 to 299 are one row, see `MetaError.of`.
let metaErrorRows: [MetaError] = [
    row(
        0, "AuthException", .lineConfiguration, .whatsapp,
        "the access token is expired, revoked or invalid",
        "give the line a new token: outboxctl line add NAME --token -"),
    row(
        1, "API Unknown", .messageLater, .whatsapp,
        "an invalid request or a bad moment of Meta's",
        "look at the message if it keeps coming; check status.fb.com"),
    row(
        2, "API Service", .messageLater, .whatsapp,
        "Meta is down or overloaded for a moment",
        "wait; check metastatus.com"),
    row(
        3, "API Method", .lineConfiguration, .whatsapp,
        "the token lacks a capability or permission for this call",
        "give the app whatsapp_business_messaging and make a new token"),
    row(
        4, "API Too Many Calls", .businessLater, .whatsapp,
        "the app has made too many API calls",
        "wait; spread the load over time"),
    row(
        10, "Permission Denied", .lineConfiguration, .whatsapp,
        "the permission is missing or was removed",
        "give the app whatsapp_business_messaging for this account and make a new token"),
    row(
        17, "User request limit", .businessLater, .graph,
        "too many calls by this user of the Graph API",
        "wait"),
    row(
        33, "Parameter value is not valid", .lineConfiguration, .whatsapp,
        "the business phone number was deleted",
        "set the line's phoneNumberId to one that exists"),
    row(
        100, "Invalid parameter", .messageForGood, .whatsapp,
        "a parameter is wrong or unknown; with subcode 33 the number does not exist or the token may not use it",
        "compare the message with Meta's page; for subcode 33 check phoneNumberId and token"),
    row(
        190, "Access token has expired", .lineConfiguration, .whatsapp,
        "the access token has expired",
        "give the line a new token: outboxctl line add NAME --token -"),
    row(
        341, "Application limit reached", .businessLater, .graph,
        "the application's limit of the Graph API is reached",
        "wait"),
    row(
        368, "Temporarily blocked for policy violations", .businessLater, .whatsapp,
        "the account is restricted or disabled for breaking a policy",
        "see the account's quality page in WhatsApp Manager and appeal"),
    row(
        613, "Calls exceeded rate", .businessLater, .graph,
        "calls exceeded the rate of this Graph API call",
        "wait"),
    row(
        80007, "Rate limit issues", .businessLater, .whatsapp,
        "the WhatsApp business account reached its rate limit",
        "wait; spread the load over time"),
    row(
        130403, "Business has blocked this user", .messageForGood, .whatsapp,
        "you have blocked this recipient",
        "unblock the recipient first"),
    row(
        130429, "Rate limit hit", .lineLater, .whatsapp,
        "the number's throughput is used up",
        "wait; ask Meta for an upgrade to 1,000 a second when it is the rule"),
    row(
        130472, "User's number is part of an experiment", .messageForGood, .whatsapp,
        "Meta holds marketing back from this recipient as part of an experiment",
        "do not send it again; reach the person otherwise"),
    row(
        130497, "Business restricted from messaging this country", .messageForGood, .whatsapp,
        "the business may not message people in this country",
        "see Meta's list of restricted categories and countries"),
    row(
        131000, "Something went wrong", .messageLater, .whatsapp,
        "Meta failed to send it for a reason it does not know",
        "wait; if it keeps coming open a ticket with Meta"),
    row(
        131005, "Access denied", .lineConfiguration, .whatsapp,
        "the permission is missing or was removed",
        "check the token's permissions and the app's role on the account"),
    row(
        131008, "Required parameter is missing", .messageForGood, .whatsapp,
        "a required parameter is missing",
        "compare the message with Meta's page"),
    row(
        131009, "Parameter value is not valid", .messageForGood, .whatsapp,
        "a parameter's value is wrong, or the number is not of this account",
        "compare the message with Meta's page; check phoneNumberId"),
    row(
        131016, "Service unavailable", .messageLater, .whatsapp,
        "a service of Meta's is unavailable for a moment",
        "wait"),
    row(
        131021, "Recipient cannot be sender", .messageForGood, .whatsapp,
        "the recipient is the sender",
        "send to another number"),
    row(
        131026, "Message undeliverable", .messageForGood, .whatsapp,
        "undeliverable: no WhatsApp at this number, an old version of it, or its terms not accepted",
        "ask the person by another way to install or update WhatsApp"),
    row(
        131030, "Recipient not in allowed list", .messageForGood, .clients,
        "the recipient is not on the list of a test number",
        "add the recipient to the test number's list"),
    row(
        131031, "Account has been locked", .businessLater, .whatsapp,
        "the account is locked",
        "see the account's quality page in WhatsApp Manager and appeal"),
    row(
        131037, "Display name approval needed", .lineConfiguration, .whatsapp,
        "the number's display name is not approved",
        "have the display name approved in WhatsApp Manager"),
    row(
        131042, "Business eligibility payment issue", .businessLater, .whatsapp,
        "the account cannot be billed",
        "mend the payment method in WhatsApp Manager"),
    row(
        131045, "Incorrect certificate / phone registration error", .lineConfiguration, .whatsapp,
        "the number is not registered rightly",
        "register the number again"),
    row(
        131047, "Re-engagement message", .messageForGood, .whatsapp,
        "more than 24 hours have passed since the recipient last wrote",
        "send a template"),
    row(
        131048, "Spam rate limit hit", .lineLater, .whatsapp,
        "the number may not send for a while: too many of its messages were blocked or reported",
        "send less and better; see the number's quality rating"),
    row(
        131049, "Meta chose not to deliver", .messageForGood, .whatsapp,
        "Meta chose not to deliver this marketing message to keep the recipient engaged",
        "do not send it again within 24 hours: that is punished"),
    row(
        131050, "User stopped marketing messages", .messageForGood, .whatsapp,
        "the recipient stopped your marketing messages",
        "send no more marketing to this person"),
    row(
        131051, "Unsupported message type", .messageForGood, .whatsapp,
        "this kind of message is not supported",
        "compare the message with Meta's page"),
    row(
        131052, "Media download error", .messageForGood, .whatsapp,
        "the media of a received message could not be downloaded",
        "ask the sender to send it again"),
    row(
        131053, "Media upload error", .messageForGood, .whatsapp,
        "the media could not be uploaded: its type, size or link",
        "check type, size and that the link can be fetched by everybody"),
    row(
        131055, "Method not allowed", .messageForGood, .whatsapp,
        "this call is not allowed for this message",
        "send marketing templates where Meta wants them"),
    row(
        131056, "Pair rate limit hit", .recipientLater, .whatsapp,
        "too many messages from this number to this recipient",
        "wait; one message in six seconds is allowed"),
    row(
        131057, "Account in maintenance mode", .lineLater, .whatsapp,
        "the number is in maintenance, usually for an upgrade",
        "wait some minutes"),
    row(
        131062, "BSUID recipient not supported for this message", .messageForGood, .whatsapp,
        "this message cannot go to a business-scoped user id",
        "send it to a phone number"),
    row(
        131063, "Marketing templates disabled on Cloud API", .templateLater, .whatsapp,
        "marketing templates are switched off for this account's Cloud API",
        "allow them in the account's settings, or use the marketing API"),
    row(
        131064, "Messaging limit reached (template classification violations)", .businessLater, .whatsapp,
        "messages are limited because templates were classified wrongly",
        "wait until the restriction ends; mend the templates' categories"),
    row(
        132000, "Template param count mismatch", .messageForGood, .whatsapp,
        "the number of variables does not fit the template",
        "give as many parameters as the template has variables"),
    row(
        132001, "Template does not exist", .messageForGood, .whatsapp,
        "no approved template of this name in this language",
        "check name and language; wait until it is approved"),
    row(
        132005, "Hydrated text too long", .messageForGood, .whatsapp,
        "the text is too long with its variables filled in",
        "shorten the variables"),
    row(
        132007, "Template content policy violated", .messageForGood, .whatsapp,
        "the template breaks a policy",
        "see why in WhatsApp Manager and change the template"),
    row(
        132008, "Template parameter value invalid", .messageForGood, .clients,
        "a template variable's value is wrong",
        "compare the parameters with the template"),
    row(
        132012, "Template parameter format mismatch", .messageForGood, .whatsapp,
        "a template variable has another format than the template wants",
        "compare the parameters with the template"),
    row(
        132015, "Template is paused", .templateLater, .whatsapp,
        "the template is paused for low quality",
        "wait: 3 hours the first time, 6 the second; improve it"),
    row(
        132016, "Template is disabled", .messageForGood, .whatsapp,
        "the template was paused too often and is disabled",
        "make another template"),
    row(
        132018, "Template validation error", .messageForGood, .whatsapp,
        "the template's parameters are wrong",
        "compare the parameters with the template"),
    row(
        132068, "Flow is blocked", .messageForGood, .whatsapp,
        "the flow is blocked",
        "mend the flow in WhatsApp Manager"),
    row(
        132069, "Flow is throttled", .templateLater, .whatsapp,
        "the flow is throttled: ten messages an hour",
        "wait; mend the flow's error rate"),
    row(
        133004, "Server temporarily unavailable", .messageLater, .whatsapp,
        "Meta's server is unavailable for a moment",
        "wait; check metastatus.com"),
    row(
        133010, "Phone number not registered", .lineConfiguration, .whatsapp,
        "the number is not registered",
        "register the number with its PIN"),
    row(
        134011, "Payments ToS not accepted", .messageForGood, .whatsapp,
        "the terms of WhatsApp payments are not accepted",
        "accept them in WhatsApp Manager"),
    row(
        134100, "Only marketing messages supported", .messageForGood, .whatsapp,
        "only marketing messages may be sent by this call",
        "send it by the messages call"),
    row(
        134101, "Template still syncing", .messageLater, .whatsapp,
        "the template is still being synchronised",
        "wait ten minutes"),
    row(
        134102, "Template unavailable for use", .messageForGood, .whatsapp,
        "the template cannot be used here",
        "choose another template"),
    row(
        135000, "Generic user error", .messageForGood, .whatsapp,
        "a parameter is wrong; Meta does not say which",
        "compare the message with Meta's page"),
    row(
        137000, "Recipient identity key hash mismatch", .messageForGood, .clients,
        "the recipient's identity changed since you last checked it",
        "check who you write to, then send with the new identity hash"),
    row(
        2_494_100, "Phone number in maintenance mode", .lineLater, .clients,
        "the number is in maintenance",
        "wait some minutes"),
]

private func row(
    _ code: Int64, _ title: String, _ errorClass: MetaErrorClass, _ source: MetaErrorSource, _ meaning: String,
    _ remedy: String
) -> MetaError {
    MetaError(code: code, title: title, errorClass: errorClass, source: source, meaning: meaning, remedy: remedy)
}
