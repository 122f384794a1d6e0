"""The pages behind links, in a browser: a number is connected, and somebody works in an inbox.

usage: check_pages.py PROGRAMS
"""

import http.server
import json
import pathlib
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import zlib

import outboxd
from browser import browser

# What Meta's script does as far as the page sees it: a window opens, tells the page that opened it, and closes.
SCRIPT = """
window.FB = {
    init(settings) { window.begun = settings; },
    login(done, settings) {
        window.asked = settings;
        const mode = window.mode ?? "FINISH";
        const other = open("https://www.facebook.com/dialog?" + mode, "_blank", "width=300,height=300");
        const wait = setInterval(() => {
            if (!other.closed) return;
            clearInterval(wait);
            done(mode === "CANCEL" ? {} : { authResponse: { code: "code-" + mode } });
        }, 20);
    },
};
window.fbAsyncInit();
"""
DIALOG = """<script>
const mode = location.search.slice(1);
const data = { phone_number_id: mode === "FINISH_FOREIGN" ? "999" : "106", waba_id: "102" };
opener.postMessage(JSON.stringify({ type: "WA_EMBEDDED_SIGNUP", event: mode.split("_")[0], data }), "*");
close();
</script>"""
NASTY = "<img src=x onerror=\"window.pwned=1\"><b>bold</b>\n</script><script>window.pwned=2</script>"


class Site(http.server.ThreadingHTTPServer):
    """Answers by path; keeps what it was asked."""

    daemon_threads = True

    def __init__(self, pages, context=None):
        self.pages = pages
        self.asked = []
        super().__init__(("127.0.0.1", 0), Answering)
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]


class Answering(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        kind, text = self.server.pages.get(self.path.split("?")[0], ("text/html", ""))
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("access-control-allow-origin", "*")
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *words):
        pass


def certificate(folder):
    """One that nobody vouches for."""
    files = [f"{folder}/key.pem", f"{folder}/certificate.pem"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=facebook", "-keyout",
         files[0], "-out", files[1]], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files[1], files[0])
    return context


def picture():
    """A PNG, three pixels wide."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 3, 1, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(10))) + chunk(b"IEND", b"")


def connect(machine, window, own):
    """Embedded Signup, first broken off, then with somebody else's number, then to its end."""
    made = outboxd.data(
        machine.socket, "POST", "/v1/onboarding-links",
        {"name": "Acme <b>Corp</b>", "redirectUrl": f"http://127.0.0.1:{own.port}/callback"})
    page = window.open(made["hostedUrl"])
    page.until("window.begun && !document.querySelector('#start').disabled")
    assert page.value("document.querySelector('#whom').textContent") == "Acme <b>Corp</b>"
    assert page.value("[begun.appId, begun.cookie]") == ["7", False]
    for mode, words in (("CANCEL", "broken off"), ("FINISH_FOREIGN", "has no number 999")):
        page.value(f"window.mode = {json.dumps(mode)}")
        page.click("#start")
        page.until(f"document.querySelector('#problem').textContent.includes({json.dumps(words)})")
    assert outboxd.data(machine.socket, "GET", "/v1/lines") == []
    page.value("window.mode = undefined")
    page.click("#start")
    page.until("!document.querySelector('#done').hidden")
    assert page.value("[asked.config_id, asked.response_type]") == ["8", "code"]
    key = page.value("document.querySelector('#key').textContent")
    assert key.startswith("sk_org_") and len(key) == 55, key
    lines = outboxd.data(machine.socket, "GET", "/v1/lines")
    assert [line["phoneNumberId"] for line in lines] == ["106"], lines
    # The only answer the browser holds against the page is the refusal of the foreign number.
    problems = page.problems()
    assert len(problems) == 1 and "403" in problems[0], problems
    page.click("#go")
    page.until("location.pathname === '/callback'")
    headers = [headers for path, headers in own.asked if path == "/callback"][0]
    assert "Referer" not in headers, headers
    status, _, _ = outboxd.exchange(machine.socket, "GET", "/v1/lines", headers={"Authorization": f"Bearer {key}"})
    assert status == 200
    again = window.open(made["hostedUrl"])
    again.until("document.body?.textContent.includes('not valid')")
    return lines[0]["line"]


def work(machine, window, line, folder):
    """An inbox: what a person wrote is read as it stands, and answered in every way the link allows."""
    everything = ["readInbox", "readDetails", "markRead", "sendText", "sendMedia", "sendTemplates", "sendAdvanced"]

    def link(permissions):
        return outboxd.data(
            machine.socket, "POST", "/v1/shared-inbox-links",
            {"phoneNumberId": line, "name": "Support", "permissions": dict.fromkeys(permissions, True)})

    def wrote(text, **more):
        outboxd.sandbox(
            machine.sandbox, "POST", "/sandbox/inbound",
            {"phoneNumberId": "106", "from": "14155550199", "name": NASTY[:40], "text": text, **more})

    wrote(NASTY)
    outboxd.until(lambda: outboxd.data(machine.socket, "GET", "/v1/conversations"))
    full = link(everything)
    page = window.open(full["publicUrl"])
    page.click("#list button")
    page.until("document.querySelectorAll('article').length === 1")
    assert page.value("document.querySelector('article p').textContent") == NASTY
    assert page.value("document.querySelectorAll('article p *, #list b, #who b, #list img').length") == 0
    assert page.value("document.querySelector('#list button').textContent").startswith(NASTY[:40])
    conversation = outboxd.data(machine.socket, "GET", "/v1/conversations")[0]["id"]
    entries = f"/v1/conversations/{conversation}/messages"
    outboxd.until(lambda: outboxd.data(machine.socket, "GET", entries)[-1]["markedRead"])

    page.write("#text", "Hello <i>there</i>")
    page.click("#send-text")
    page.until("[...document.querySelectorAll('article.outbound p')].some((one) => one.textContent === 'Hello <i>there</i>')")
    paper = pathlib.Path(folder) / "shop.txt"
    paper.write_text("open from nine to five")
    page.choose_file("#file", paper)
    page.write("#caption", "When we are there")
    page.click("#send-media")
    page.until("[...document.querySelectorAll('article.outbound a')].some((one) => one.textContent === 'shop.txt')")
    page.until("document.querySelector('#template').options.length > 0")
    page.click("#send-template")
    page.until("[...document.querySelectorAll('article.outbound p')].some((one) => one.textContent.startsWith('Template '))")
    page.write("#advanced", '{"location":{"latitude":52.5,"longitude":13.4,"name":"Shop"}}')
    page.click("#send-advanced")
    page.until("[...document.querySelectorAll('article.outbound p')].some((one) => one.textContent === '[location]')")
    outboxd.until(lambda: all(
        message["status"] in ("read", "delivered", "sent") for message in outboxd.data(machine.socket, "GET", "/v1/messages")))
    sent = outboxd.data(machine.socket, "GET", "/v1/messages")
    assert sorted(message["type"] for message in sent) == ["document", "location", "template", "text"], sent
    # What is written meanwhile appears by itself, and states go on.
    wrote("And now?")
    page.until("[...document.querySelectorAll('article p')].some((one) => one.textContent === 'And now?')", 40)
    page.until("document.querySelector('article.outbound small').textContent.includes('read')", 40)
    assert page.value("window.pwned ?? null") is None and page.problems() == [], page.problems()

    # A picture is shown.
    kept = outboxd.sandbox(machine.sandbox, "POST", "/sandbox/media?type=image/png", picture())
    outboxd.sandbox(
        machine.sandbox, "POST", "/sandbox/inbound",
        {"phoneNumberId": "106", "from": "14155550199", "type": "image",
         "content": {"id": kept["id"], "mime_type": "image/png", "caption": "Look <b>here</b>"}})
    page.until("document.querySelector('article img')?.naturalWidth === 3", 40)
    page.until("[...document.querySelectorAll('article p')].some((one) => one.textContent === 'Look <b>here</b>')")
    assert page.problems() == [], page.problems()

    # A file that was sent is handed out to the page, as a file.
    kept = page.value("fetch(document.querySelector('article a').href).then((answer) => answer.text())")
    assert kept == "open from nine to five", kept

    reader = window.open(link(["readInbox", "readDetails"])["publicUrl"])
    reader.click("#list button")
    reader.until("document.querySelectorAll('article').length > 1")
    assert reader.value("document.querySelector('#write').hidden")
    assert reader.problems() == [], reader.problems()

    outboxd.data(machine.socket, "POST", f"/v1/shared-inbox-links/{full['id']}/rotate")
    page.until("document.querySelector('#problem').textContent.includes('not valid')", 40)
    return conversation


def keep_out(machine, window, own, line, conversation):
    """Another site that was given the link can neither frame the page nor write by it."""
    link = outboxd.data(
        machine.socket, "POST", "/v1/shared-inbox-links",
        {"phoneNumberId": line, "name": "Open", "permissions": {"readInbox": True, "sendText": True}})["publicUrl"]
    before = len(outboxd.data(machine.socket, "GET", "/v1/messages"))
    text = json.dumps({"text": "forged"})
    target = f"{link}/conversations/{conversation}/messages"
    own.pages["/evil"] = ("text/html", f"""<iframe src="{link}"></iframe><script>
const ways = [
    fetch({json.dumps(target)}, {{ method: "POST", mode: "no-cors", body: {json.dumps(text)} }}),
    fetch({json.dumps(target)}, {{ method: "POST", headers: {{ "content-type": "application/json" }}, body: {json.dumps(text)} }}),
    fetch({json.dumps(link)} + "/conversations").then((answer) => answer.text()),
];
Promise.allSettled(ways).then((ends) => {{ window.ends = ends.map((end) => end.status); }});
</script>""")
    page = window.open(f"http://localhost:{own.port}/evil")
    ends = page.until("window.ends")
    assert ends[1:] == ["rejected", "rejected"], ends
    # A look at the page brings what the browser has to say of it.
    outboxd.until(lambda: page.value("true") and any("frame-ancestors" in problem for problem in page.problems()))
    assert len(outboxd.data(machine.socket, "GET", "/v1/messages")) == before


def check(programs):
    with tempfile.TemporaryDirectory(prefix="outboxd-pages.") as folder, outboxd.machine(programs) as machine:
        outboxd.sandbox(machine.sandbox, "PUT", "/sandbox/numbers/106", {"display_phone_number": "+1 555-010-0106"})
        meta = Site(
            {"/en_US/sdk.js": ("text/javascript", SCRIPT), "/dialog": ("text/html", DIALOG)}, certificate(folder))
        own = Site({})
        hosts = ", ".join(f"MAP {host} 127.0.0.1:{meta.port}" for host in ("connect.facebook.net", "www.facebook.com"))
        with browser(f"--host-resolver-rules={hosts}", "--ignore-certificate-errors") as window:
            line = connect(machine, window, own)
            # Outside the window texts go as they are.
            known = outboxd.data(machine.socket, "GET", f"/v1/lines/{line}")
            outboxd.data(
                machine.socket, "PUT", f"/v1/lines/{line}",
                {"phoneNumberId": "106", "wabaId": "102", "tokenSecret": known["tokenSecret"], "pairLimit": False})
            conversation = work(machine, window, line, folder)
            keep_out(machine, window, own, line, conversation)
    print("pages: a number connected and an inbox worked in, in a browser; nobody else's page could")


if __name__ == "__main__":
    check(sys.argv[1])
