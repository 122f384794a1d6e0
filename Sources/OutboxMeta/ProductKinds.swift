import OutboxJSON

let productRule = ContentRule.object(
    ContentShape([.required("catalog_id", .words), .required("product_retailer_id", .words)]))

/// Up to 30 products in up to 10 sections.
let productListRule = ContentRule.object(
    ContentShape([
        .required("catalog_id", .words),
        .required(
            "sections",
            .list(
                1...10,
                .object(
                    ContentShape([
                        .optional("title", .text(0...24)),
                        .required(
                            "product_items",
                            .list(1...30, .object(ContentShape([.required("product_retailer_id", .words)])))),
                    ])))),
    ]) { value, place, check in
        check.lookAtSections(value["sections"], "\(place).sections", items: "product_items", max: 30)
    })

let catalogRule = ContentRule.object(
    ContentShape([
        .required("name", .word(["catalog_message"])),
        .optional(
            "parameters", .object(ContentShape([.required("thumbnail_product_retailer_id", .words)]))),
    ]))
