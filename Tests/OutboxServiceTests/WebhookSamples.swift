/// Webhooks of our own, after the shapes of Meta's pages "Webhooks reference: messages". One message of every kind.
enum WebhookSamples {
    /// The members of the message's own object behind `from`, `id` and `timestamp`, by kind.
    static let kinds: [(kind: String, members: String)] = [
        ("text", #""text":{"body":"Is it \"ready\"?\nThanks"},"context":{"from":"15550100000","id":"wamid.before"}"#),
        ("image", #""image":{"caption":"My order","mime_type":"image/jpeg","sha256":"aGFzaA==","id":"901"}"#),
        ("video", #""video":{"mime_type":"video/mp4","sha256":"aGFzaA==","id":"902"}"#),
        ("audio", #""audio":{"mime_type":"audio/ogg; codecs=opus","sha256":"aGFzaA==","id":"903","voice":true}"#),
        ("document", #""document":{"filename":"a.pdf","caption":"Bill","mime_type":"application/pdf","id":"904"}"#),
        ("sticker", #""sticker":{"mime_type":"image/webp","sha256":"aGFzaA==","id":"905","animated":false}"#),
        ("location", #""location":{"latitude":52.5,"longitude":13.4,"name":"Shop","address":"Street 1"}"#),
        ("contacts", #""contacts":[{"name":{"formatted_name":"Bo"},"phones":[{"phone":"+1555","wa_id":"1555"}]}]"#),
        ("button", #""button":{"payload":"stop","text":"No more"},"context":{"from":"15550100000","id":"wamid.t"}"#),
        (
            "interactive",
            #""interactive":{"type":"list_reply","list_reply":{"id":"r1","title":"Tuesday","description":"10-12"}}"#
        ),
        ("reaction", #""reaction":{"message_id":"wamid.before","emoji":"\ud83d\udc4d"}"#),
        (
            "order",
            #""order":{"catalog_id":"7","text":"Two","product_items":[{"product_retailer_id":"s","quantity":2}]}"#
        ),
        ("system", #""system":{"body":"Ann changed number","wa_id":"14155550199","type":"user_changed_number"}"#),
        (
            "unsupported",
            #""errors":[{"code":131051,"title":"Message type unknown"}],"unsupported":{"type":"poll"}"#
        ),
        ("edit", #""edit":{"original_message_id":"wamid.before","message":{"type":"text","text":{"body":"Hm"}}}"#),
        ("revoke", #""revoke":{"original_message_id":"wamid.before"}"#),
        ("hologram", #""hologram":{"of":"tomorrow"}"#),
    ]

    /// A webhook with these messages and contacts, each JSON objects with commas between them.
    static func webhook(messages: String, contacts: String = "", number: String = "106") -> String {
        """
        {"object":"whatsapp_business_account","entry":[{"id":"102","changes":[{"field":"messages","value":{
        "messaging_product":"whatsapp","metadata":{"display_phone_number":"15550100000","phone_number_id":"\(number)"},
        "contacts":[\(contacts)],"messages":[\(messages)]}}]}]}
        """
    }

    /// `id` is behind `wamid.`; `names` are members of the message that name its sender.
    static func message(
        _ id: String, _ names: String = #""from":"14155550100""#, type: String = "text",
        members: String = #""text":{"body":"Hi"}"#
    ) -> String {
        #"{\#(names),"id":"wamid.\#(id)","timestamp":"1800000000","type":"\#(type)",\#(members)}"#
    }
}
