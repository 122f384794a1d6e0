"""pywa, a Cloud API client that others wrote, sends every kind of message to the sandbox and hears its webhooks; and what
pywa sends, outboxd takes and sends just so.

usage: check_pywa.py PROGRAMS
"""

import hashlib
import http.client
import http.server
import json
import pathlib
import subprocess
import sys
import tempfile
import threading

import httpx
import pywa
from pywa import types
from pywa.errors import TooManyMessages, WhatsAppError
from pywa.types import templates

import outboxd

PERSON = "14155550100"
SECRET = "a-secret-of-the-app"


class Ear:
    """Where the sandbox's webhooks go: each is handed to pywa as it came, with its signature."""

    def __init__(self):
        ear = self
        self.client = None
        self.results = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                text, status = hear(ear.client, body, self.headers["X-Hub-Signature-256"])
                ear.results.append((status, body, self.headers["X-Hub-Signature-256"]))
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *words):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}/"


def hear(client, body, signature):
    return client.webhook_update_validator(body, signature) or client.webhook_update_handler(body)


def client_of(port, version="25.0"):
    session = httpx.Client(timeout=30)
    client = pywa.WhatsApp(
        phone_id="106", token="t", session=session, server=None, app_secret=SECRET, api_version=version,
        skip_duplicate_updates=False,
    )
    client.api._session.base_url = f"http://127.0.0.1:{port}/v{version}"
    return client


def send_everything(client):
    """One message of each kind pywa has; answers their ids."""
    image = "https://a.example/b.jpeg"
    buttons = [types.Button("Yes", callback_data="yes"), types.Button("No", callback_data="no")]
    rows = [types.SectionRow(title="Small", callback_data="1", description="D"), types.SectionRow("Big", "2")]
    flow = types.FlowButton(title="Book", flow_id="7", flow_token="t", flow_message_version="3")
    name = types.Contact.Name(formatted_name="Ann Lee", first_name="Ann")
    contact = types.Contact(
        name=name, phones=[types.Contact.Phone(phone="+14155550101", type="Home", wa_id="14155550101")],
        emails=[types.Contact.Email(email="a@b.example", type="Work")], org=types.Contact.Org(company="C"),
    )
    section = types.ProductsSection(title="New", skus=["sku-1", "sku-2"])
    return [
        client.send_message(PERSON, "See https://a.example", preview_url=True),
        client.send_message(PERSON, "An answer", reply_to_message_id="wamid.ABC"),
        client.send_message(PERSON, "Today?", header="H", footer="F", buttons=buttons),
        client.send_message(PERSON, "Which?", buttons=types.SectionList("See", [types.Section("S", rows)])),
        client.send_message(PERSON, "Go", buttons=types.URLButton("Track", url="https://a.example/t/7")),
        client.send_message(PERSON, "Book", buttons=flow),
        client.send_image(PERSON, image, caption="C"),
        client.send_image(PERSON, image, caption="C", buttons=buttons),
        client.send_video(PERSON, "https://a.example/b.mp4"),
        client.send_audio(PERSON, "https://a.example/b.mp3"),
        client.send_document(PERSON, "https://a.example/b.pdf", filename="b.pdf", caption="C"),
        client.send_sticker(PERSON, "https://a.example/b.webp"),
        client.send_location(PERSON, 37.4847, -122.1484, name="N", address="A"),
        client.request_location(PERSON, "Where are you?"),
        client.send_contact(PERSON, contact),
        client.send_catalog(PERSON, "All we have", thumbnail_product_sku="sku-1"),
        client.send_product(PERSON, "7", "sku-1", body="B"),
        client.send_products(PERSON, "7", [section], title="T", body="B", footer="F"),
        client.send_reaction(PERSON, "\U0001f44d", "wamid.ABC"),
        client.remove_reaction(PERSON, "wamid.ABC"),
        client.send_template(PERSON, "hello_world", templates.TemplateLanguage.ENGLISH_US),
        client.send_message("US.13491208655302741918", "Hi"),
    ]


def check_refusals(client, port):
    def refused(send, code, words):
        try:
            send()
        except WhatsAppError as error:
            assert error.code == code and words in (error.details or ""), (code, words, vars(error))
            return error
        raise AssertionError((code, words, "was taken"))

    refused(lambda: client.send_message(PERSON, "x" * 4097), 100, "4096")
    button = types.Button("t" * 21, callback_data="a")
    refused(lambda: client.send_message(PERSON, "x", buttons=[button]), 131009, "Button title length")
    twice = [types.Button("A", "a"), types.Button("A", "b")]
    refused(lambda: client.send_message(PERSON, "x", buttons=twice), 131009, "Duplicated")
    refused(lambda: client.send_location(PERSON, 91, 0), 131009, "latitude")
    refused(lambda: client.mark_message_as_read("wamid.NOBODY"), 131009, "")
    outboxd.sandbox(port, "PUT", "/sandbox/faults", {"rules": ["error=131056"]})
    assert isinstance(refused(lambda: client.send_message(PERSON, "x"), 131056, ""), TooManyMessages)
    outboxd.sandbox(port, "PUT", "/sandbox/faults", {"rules": []})
    return 6


def check_media(client, port):
    """What pywa uploads it can send, ask for, fetch and delete; answers how many bytes came back."""
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 1000
    media = client.upload_media(png, mime_type="image/png", filename="a.png")
    url = client.get_media_url(media.id)
    assert (url.mime_type, url.file_size) == ("image/png", len(png)), vars(url)
    assert url.sha256 == hashlib.sha256(png).hexdigest()
    fetched = client.get_media_bytes(url=url.url)
    assert fetched == png, len(fetched)
    client.send_image(PERSON, media.id, caption="C")
    assert client.delete_media(media.id)
    for send in (lambda: client.send_image(PERSON, media.id), lambda: client.get_media_url(media.id)):
        try:
            send()
        except WhatsAppError as error:
            assert error.code in (100, 131009), vars(error)
        else:
            raise AssertionError("a file that was deleted is known")
    try:
        client.upload_media(png, mime_type="text/html", filename="a.html")
    except WhatsAppError as error:
        assert error.code == 100, vars(error)
    else:
        raise AssertionError("a page was taken for a file")
    return len(fetched)


def check_webhooks(client, ear, port):
    heard = {"statuses": {}, "messages": [], "reactions": [], "buttons": []}

    @client.on_message_status()
    def status(_, status):
        heard["statuses"].setdefault(status.id, []).append((str(status.status.value), status.tracker))

    @client.on_message()
    def message(_, message):
        heard["messages"].append(message)

    @client.on_callback_button()
    def button(_, button):
        heard["buttons"].append(button)

    # Alone: of several statuses in one call pywa looks at the first.
    quiet = lambda: outboxd.sandbox(port, "GET", "/sandbox/summary")["data"]["webhooksWaiting"] == 0
    outboxd.until(quiet)
    sent = client.send_message(PERSON, "Hi", tracker="mine")
    outboxd.until(lambda: len(heard["statuses"].get(sent.id, [])) == 3)
    reaction = client.send_reaction(PERSON, "\U0001f44d", sent.id, tracker="reaction")
    outboxd.until(lambda: reaction.id in heard["statuses"])
    assert sorted(heard["statuses"][sent.id]) == [(word, "mine") for word in ("delivered", "read", "sent")], heard
    for kind, fields in [
        ("text", {"text": "Hello"}), ("image", {}), ("location", {}), ("contacts", {}), ("reaction", {}),
        ("interactive", {"text": "Yes"}),
    ]:
        known = {"phoneNumberId": "106", "from": PERSON, "userId": "US.13491208655302741918", "username": "ann"}
        outboxd.sandbox(port, "POST", "/sandbox/inbound", {**known, "type": kind, **fields})
    outboxd.until(lambda: len(heard["messages"]) + len(heard["buttons"]) == 6)
    text = next(message for message in heard["messages"] if message.text)
    assert text.text == "Hello" and text.from_user.wa_id == PERSON, vars(text)
    assert heard["buttons"][0].title == "Yes", heard["buttons"]
    assert client.mark_message_as_read(text.id).success
    assert client.indicate_typing(text.id).success
    assert outboxd.sandbox(port, "GET", "/sandbox/summary")["data"]["typing"] == 1
    # A reaction is only ever sent.
    assert heard["statuses"][reaction.id] == [("sent", "reaction")], heard["statuses"]
    assert all(status == 200 for status, _, _ in ear.results)
    _, body, signature = ear.results[0]
    for wrong_body, wrong in [(body + b" ", signature), (body, signature[:-1] + "x"), (body, None)]:
        assert hear(client, wrong_body, wrong)[1] in (401, 403), wrong
    return len(ear.results)


def check_outboxd(programs, bodies):
    """What pywa sends, member by member, through outboxd: nothing is refused, and it leaves as it is."""
    with outboxd.machine(programs) as machine:
        line = {"phoneNumberId": "106", "token": "t", "closedWindow": "leave", "pairLimit": False}
        outboxd.data(machine.socket, "PUT", "/v1/lines/main", line)
        for body in bodies:
            kind = body["type"]
            message = {"to": body.get("to", body.get("recipient")), kind: body[kind]}
            if kind == "template":
                message[kind] = {**body[kind], "language": body[kind]["language"]["code"]}
            if "context" in body:
                message["replyTo"] = body["context"]["message_id"]
            submitted = outboxd.data(machine.socket, "POST", "/v1/messages", message)
            assert "checked" not in submitted, message
            outboxd.until(
                lambda: outboxd.data(machine.socket, "GET", f"/v1/messages/{submitted['id']}")["status"]
                in ("sent", "delivered", "read")
            )
        sent = [
            entry["body"] for entry in outboxd.sandbox(machine.sandbox, "GET", "/sandbox/ledger")["data"]
        ]
        assert len(sent) == len(bodies)
        for ours, theirs in zip(sent, bodies):
            kind = theirs["type"]
            if kind == "template":
                assert ours[kind]["name"] == theirs[kind]["name"]
                continue
            for member in (kind, "context", "recipient"):
                assert ours.get(member) == theirs.get(member), (ours, theirs)


def check_templates(client, port):
    """Templates made, listed, changed and removed, and a number connected, as pywa does it."""
    language = templates.TemplateLanguage.ENGLISH_US
    draft = templates.Template(
        name="pywa_order", language=language, category=templates.TemplateCategory.UTILITY,
        parameter_format=templates.ParamFormat.NAMED,
        components=[
            templates.HeaderText("Order {{number}}", number="7"),
            templates.BodyText("Dear {{name}}, it left.", name="Ann"),
            templates.FooterText(text="Bye"),
            templates.Buttons(
                buttons=[
                    templates.QuickReplyButton(text="Thanks"),
                    templates.URLButton(text="Track", url="https://a.example/{{1}}", example="https://a.example/7"),
                ]
            ),
        ],
    )
    # pywa stumbles over the language as Meta writes it in these webhooks, en-US.
    outboxd.sandbox(port, "PUT", "/sandbox/webhooks", {"lost": True})
    made = client.create_template(draft, waba_id="102")
    assert made.status == templates.TemplateStatus.PENDING, made

    def listed():
        return {template.name: template for template in client.get_templates(waba_id="102")}

    outboxd.until(lambda: listed()["pywa_order"].status == templates.TemplateStatus.APPROVED)
    assert [type(part).__name__ for part in listed()["pywa_order"].components][:2] == ["HeaderText", "BodyText"]
    try:
        client.create_template(draft, waba_id="102")
        raise AssertionError("a second template of one name and language was taken")
    except WhatsAppError as error:
        assert error.code == 100, vars(error)
    assert client.delete_template("pywa_order", waba_id="102").success
    assert "pywa_order" not in listed()
    code = templates.Template(
        name="pywa_code", language=language, category=templates.TemplateCategory.AUTHENTICATION,
        components=[
            templates.AuthenticationBody(add_security_recommendation=True),
            templates.AuthenticationFooter(code_expiration_minutes=5),
            templates.Buttons(buttons=[templates.CopyCodeOTPButton()]),
        ],
    )
    assert client.create_template(code, waba_id="102").status == templates.TemplateStatus.PENDING
    assert client.register_phone_number("123456").success
    assert client.get_business_phone_numbers(waba_id="102")
    bodies = [json.loads(template.to_json()) for template in (draft, code)]
    return bodies


def check_drafts(programs, bodies):
    """What pywa makes, outboxd takes for making, and Meta's stand-in after it."""
    with outboxd.machine(programs) as machine:
        line = {"phoneNumberId": "106", "wabaId": "102", "token": "t"}
        outboxd.data(machine.socket, "PUT", "/v1/lines/main", line)
        for body in bodies:
            made = outboxd.data(machine.socket, "POST", "/v1/lines/main/templates", body)
            assert made["status"] == "PENDING", made


def main():
    programs = pathlib.Path(sys.argv[1])
    ear = Ear()
    with tempfile.TemporaryDirectory(prefix="outboxd-test.") as folder:
        port_file = pathlib.Path(folder) / "port"
        sandbox = subprocess.Popen(
            [
                programs / "outbox-sandbox", "--port", "0", "--port-file", port_file, "--app-secret", SECRET,
                "--webhook-url", ear.url, "--delivered-after", "50", "--read-after", "50",
            ],
            stdout=subprocess.DEVNULL,
        )
        try:
            port = int(outboxd.until(lambda: port_file.exists() and port_file.read_text()))
            client = client_of(port)
            ear.client = client
            sent = send_everything(client)
            assert len({message.id for message in sent}) == len(sent)
            ledger = outboxd.sandbox(port, "GET", "/sandbox/ledger")["data"]
            assert [entry["wamid"] for entry in ledger] == [message.id for message in sent]
            bodies = [entry["body"] for entry in ledger]
            refused = check_refusals(client, port)
            fetched = check_media(client, port)
            heard = check_webhooks(client, ear, port)
            drafts = check_templates(client, port)
        finally:
            sandbox.terminate()
            sandbox.wait(60)
    check_outboxd(programs, bodies)
    check_drafts(programs, drafts)
    kinds = {json.dumps([body["type"], body.get("interactive", {}).get("type")]) for body in bodies}
    print(
        f"pywa: {len(bodies)} messages of {len(kinds)} kinds taken, {refused} refused as pywa knows it, "
        f"{heard} webhooks heard, a file of {fetched} bytes there and back; outboxd sends each as pywa does; "
        f"{len(drafts)} templates made, and a number registered"
    )


if __name__ == "__main__":
    main()
