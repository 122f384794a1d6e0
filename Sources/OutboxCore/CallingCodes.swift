/// Where a phone number is from, and the time zones its owner may be in.
///
/// Sources: the country codes of ITU-T E.164 (List of assigned country codes) with the area codes of the North American
/// Numbering Plan that are not the United States'; the zones of a country of the tz database (zone.tab, 2025b), of which
/// those that have kept the same time since 2025 are named once, the most populous first. Territories that share the
/// code and the time of another country are not named.
package enum CallingCodes {
    package struct Country: Equatable, Sendable {
        /// Two letters of ISO 3166-1.
        package var code: String
        /// Names of the tz database.
        package var zones: [String]
    }

    /// Of digits with the country code, by the longest prefix that is known; or of a user id of Meta's, which begins
    /// with the country. Nil: nobody knows.
    package static func country(of recipient: String) -> Country? {
        if let dot = recipient.utf8.firstIndex(of: UInt8(ascii: ".")) {
            return byCountry[String(recipient[..<dot])]
        }
        var (prefix, code): (Int, String?) = (noDigits, nil)
        for byte in recipient.utf8.prefix(longest) {
            guard (0x30...0x39).contains(byte) else { break }
            prefix = prefix * 10 + Int(byte - 0x30)
            code = byPrefix[prefix] ?? code
        }
        return code.flatMap { byCountry[$0] }
    }

    package static func country(_ code: String) -> Country? { byCountry[code] }

    package static var all: [Country] { byCountry.values.sorted { $0.code < $1.code } }

    /// By country, calling codes and zones, as the table has them.
    private static let rows = table.split(separator: "\n").map { $0.split(separator: " ") }

    private static let byCountry = rows.reduce(into: [String: Country]()) { known, row in
        let zones = row[2] == "-" ? [] : row[2].split(separator: ",").map(String.init)
        known[String(row[0]), default: Country(code: String(row[0]), zones: [])].zones += zones
    }

    /// By a number: a one with the prefix behind it.
    private static let byPrefix = rows.reduce(into: [Int: String]()) { known, row in
        for prefix in row[1].split(separator: ",") {
            if let number = Int("\(noDigits)\(prefix)") { known[number] = String(row[0]) }
        }
    }

    private static let noDigits = 1

    private static let longest = rows.flatMap { $0[1].split(separator: ",") }.map(\.utf8.count).max() ?? 0

    /// ISO 3166-1, calling codes, zones; a hyphen where a country has a line before.
    private static let table = """
        AC 247 Atlantic/St_Helena
        AD 376 Europe/Andorra
        AE 971 Asia/Dubai
        AF 93 Asia/Kabul
        AG 1268 America/Antigua
        AI 1264 America/Anguilla
        AL 355 Europe/Tirane
        AM 374 Asia/Yerevan
        AO 244 Africa/Luanda
        AR 54 America/Argentina/Buenos_Aires
        AS 1684 Pacific/Pago_Pago
        AT 43 Europe/Vienna
        AU 61 Australia/Lord_Howe,Australia/Broken_Hill,Australia/Brisbane
        AU - Australia/Darwin,Australia/Perth,Australia/Eucla
        AW 297 America/Aruba
        AZ 994 Asia/Baku
        BA 387 Europe/Sarajevo
        BB 1246 America/Barbados
        BD 880 Asia/Dhaka
        BE 32 Europe/Brussels
        BF 226 Africa/Ouagadougou
        BG 359 Europe/Sofia
        BH 973 Asia/Bahrain
        BI 257 Africa/Bujumbura
        BJ 229 Africa/Porto-Novo
        BM 1441 Atlantic/Bermuda
        BN 673 Asia/Brunei
        BO 591 America/La_Paz
        BR 55 America/Noronha,America/Belem,America/Campo_Grande,America/Eirunepe
        BS 1242 America/Nassau
        BT 975 Asia/Thimphu
        BW 267 Africa/Gaborone
        BY 375 Europe/Minsk
        BZ 501 America/Belize
        CA 1204,1226,1236 America/St_Johns,America/Halifax,America/Blanc-Sablon,America/Toronto,America/Atikokan
        CA 1249,1250,1257,1263,1273,1289,1306,1343,1354,1365,1367,1368,1382,1403,1416,1418,1428,1431,1437,1438 -
        CA 1450,1468,1474,1506,1514,1519,1548,1579,1581,1584,1587,1600,1604,1613,1622,1633,1639,1647,1672,1683 -
        CA 1705,1709,1742,1753,1778,1780,1782,1807,1819,1825,1867,1873,1879,1902,1905,1942 -
        CA - America/Winnipeg,America/Regina,America/Edmonton,America/Creston,America/Vancouver
        CC 6189162 Indian/Cocos
        CD 243 Africa/Kinshasa,Africa/Lubumbashi
        CF 236 Africa/Bangui
        CG 242 Africa/Brazzaville
        CH 41 Europe/Zurich
        CI 225 Africa/Abidjan
        CK 682 Pacific/Rarotonga
        CL 56 America/Santiago,America/Coyhaique,Pacific/Easter
        CM 237 Africa/Douala
        CN 86 Asia/Shanghai,Asia/Urumqi
        CO 57 America/Bogota
        CR 506 America/Costa_Rica
        CU 53 America/Havana
        CV 238 Atlantic/Cape_Verde
        CW 599 America/Curacao
        CX 6189164 Indian/Christmas
        CY 357 Asia/Nicosia
        CZ 420 Europe/Prague
        DE 49 Europe/Berlin
        DJ 253 Africa/Djibouti
        DK 45 Europe/Copenhagen
        DM 1767 America/Dominica
        DO 1809,1829,1849 America/Santo_Domingo
        DZ 213 Africa/Algiers
        EC 593 America/Guayaquil,Pacific/Galapagos
        EE 372 Europe/Tallinn
        EG 20 Africa/Cairo
        ER 291 Africa/Asmara
        ES 34 Europe/Madrid,Atlantic/Canary
        ET 251 Africa/Addis_Ababa
        FI 358 Europe/Helsinki
        FJ 679 Pacific/Fiji
        FK 500 Atlantic/Stanley
        FM 691 Pacific/Chuuk,Pacific/Pohnpei
        FO 298 Atlantic/Faroe
        FR 33 Europe/Paris
        GA 241 Africa/Libreville
        GB 44 Europe/London
        GD 1473 America/Grenada
        GE 995 Asia/Tbilisi
        GF 594 America/Cayenne
        GH 233 Africa/Accra
        GI 350 Europe/Gibraltar
        GL 299 America/Nuuk,America/Danmarkshavn,America/Thule
        GM 220 Africa/Banjul
        GN 224 Africa/Conakry
        GP 590 America/Guadeloupe
        GQ 240 Africa/Malabo
        GR 30 Europe/Athens
        GT 502 America/Guatemala
        GU 1671 Pacific/Guam
        GW 245 Africa/Bissau
        GY 592 America/Guyana
        HK 852 Asia/Hong_Kong
        HN 504 America/Tegucigalpa
        HR 385 Europe/Zagreb
        HT 509 America/Port-au-Prince
        HU 36 Europe/Budapest
        ID 62 Asia/Jakarta,Asia/Makassar,Asia/Jayapura
        IE 353 Europe/Dublin
        IL 972 Asia/Jerusalem
        IN 91 Asia/Kolkata
        IO 246 Indian/Chagos
        IQ 964 Asia/Baghdad
        IR 98 Asia/Tehran
        IS 354 Atlantic/Reykjavik
        IT 39 Europe/Rome
        JM 1658,1876 America/Jamaica
        JO 962 Asia/Amman
        JP 81 Asia/Tokyo
        KE 254 Africa/Nairobi
        KG 996 Asia/Bishkek
        KH 855 Asia/Phnom_Penh
        KI 686 Pacific/Tarawa,Pacific/Kanton,Pacific/Kiritimati
        KM 269 Indian/Comoro
        KN 1869 America/St_Kitts
        KP 850 Asia/Pyongyang
        KR 82 Asia/Seoul
        KW 965 Asia/Kuwait
        KY 1345 America/Cayman
        KZ 76,77 Asia/Almaty
        LA 856 Asia/Vientiane
        LB 961 Asia/Beirut
        LC 1758 America/St_Lucia
        LI 423 Europe/Vaduz
        LK 94 Asia/Colombo
        LR 231 Africa/Monrovia
        LS 266 Africa/Maseru
        LT 370 Europe/Vilnius
        LU 352 Europe/Luxembourg
        LV 371 Europe/Riga
        LY 218 Africa/Tripoli
        MA 212 Africa/Casablanca
        MC 377 Europe/Monaco
        MD 373 Europe/Chisinau
        ME 382 Europe/Podgorica
        MG 261 Indian/Antananarivo
        MH 692 Pacific/Majuro
        MK 389 Europe/Skopje
        ML 223 Africa/Bamako
        MM 95 Asia/Yangon
        MN 976 Asia/Ulaanbaatar,Asia/Hovd
        MO 853 Asia/Macau
        MP 1670 Pacific/Saipan
        MQ 596 America/Martinique
        MR 222 Africa/Nouakchott
        MS 1664 America/Montserrat
        MT 356 Europe/Malta
        MU 230 Indian/Mauritius
        MV 960 Indian/Maldives
        MW 265 Africa/Blantyre
        MX 52 America/Mexico_City,America/Cancun,America/Matamoros
        MX - America/Ciudad_Juarez,America/Mazatlan,America/Tijuana
        MY 60 Asia/Kuala_Lumpur
        MZ 258 Africa/Maputo
        NA 264 Africa/Windhoek
        NC 687 Pacific/Noumea
        NE 227 Africa/Niamey
        NF 672 Pacific/Norfolk
        NG 234 Africa/Lagos
        NI 505 America/Managua
        NL 31 Europe/Amsterdam
        NO 47 Europe/Oslo
        NP 977 Asia/Kathmandu
        NR 674 Pacific/Nauru
        NU 683 Pacific/Niue
        NZ 64 Pacific/Auckland,Pacific/Chatham
        OM 968 Asia/Muscat
        PA 507 America/Panama
        PE 51 America/Lima
        PF 689 Pacific/Tahiti,Pacific/Marquesas,Pacific/Gambier
        PG 675 Pacific/Port_Moresby,Pacific/Bougainville
        PH 63 Asia/Manila
        PK 92 Asia/Karachi
        PL 48 Europe/Warsaw
        PM 508 America/Miquelon
        PR 1787,1939 America/Puerto_Rico
        PS 970 Asia/Gaza
        PT 351 Europe/Lisbon,Atlantic/Azores
        PW 680 Pacific/Palau
        PY 595 America/Asuncion
        QA 974 Asia/Qatar
        RE 262 Indian/Reunion
        RO 40 Europe/Bucharest
        RS 381 Europe/Belgrade
        RU 7 Europe/Kaliningrad,Europe/Moscow,Europe/Astrakhan,Asia/Yekaterinburg,Asia/Omsk
        RU - Asia/Novosibirsk,Asia/Irkutsk,Asia/Chita,Asia/Vladivostok,Asia/Magadan,Asia/Kamchatka
        RW 250 Africa/Kigali
        SA 966 Asia/Riyadh
        SB 677 Pacific/Guadalcanal
        SC 248 Indian/Mahe
        SD 249 Africa/Khartoum
        SE 46 Europe/Stockholm
        SG 65 Asia/Singapore
        SH 290 Atlantic/St_Helena
        SI 386 Europe/Ljubljana
        SK 421 Europe/Bratislava
        SL 232 Africa/Freetown
        SM 378 Europe/San_Marino
        SN 221 Africa/Dakar
        SO 252 Africa/Mogadishu
        SR 597 America/Paramaribo
        SS 211 Africa/Juba
        ST 239 Africa/Sao_Tome
        SV 503 America/El_Salvador
        SX 1721 America/Lower_Princes
        SY 963 Asia/Damascus
        SZ 268 Africa/Mbabane
        TC 1649 America/Grand_Turk
        TD 235 Africa/Ndjamena
        TG 228 Africa/Lome
        TH 66 Asia/Bangkok
        TJ 992 Asia/Dushanbe
        TK 690 Pacific/Fakaofo
        TL 670 Asia/Dili
        TM 993 Asia/Ashgabat
        TN 216 Africa/Tunis
        TO 676 Pacific/Tongatapu
        TR 90 Europe/Istanbul
        TT 1868 America/Port_of_Spain
        TV 688 Pacific/Funafuti
        TW 886 Asia/Taipei
        TZ 255 Africa/Dar_es_Salaam
        UA 380 Europe/Simferopol,Europe/Kyiv
        UG 256 Africa/Kampala
        US 1 America/New_York,America/Chicago,America/Denver,America/Phoenix
        US - America/Los_Angeles,America/Anchorage,America/Adak,Pacific/Honolulu
        UY 598 America/Montevideo
        UZ 998 Asia/Samarkand
        VC 1784 America/St_Vincent
        VE 58 America/Caracas
        VG 1284 America/Tortola
        VI 1340 America/St_Thomas
        VN 84 Asia/Ho_Chi_Minh
        VU 678 Pacific/Efate
        WF 681 Pacific/Wallis
        WS 685 Pacific/Apia
        XK 383 Europe/Belgrade
        YE 967 Asia/Aden
        YT 262269,262639 Indian/Mayotte
        ZA 27 Africa/Johannesburg
        ZM 260 Africa/Lusaka
        ZW 263 Africa/Harare
        """
}
