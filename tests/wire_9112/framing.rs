//! Where a request ends: lengths, codings, chunks, and what is hidden between them.

use super::check::{check, check_each, send};

const CONTENT: &str = "PUT /files/a HTTP/1.1\r\nHost: h\r\n@\r\n";

#[test]
fn lengths_are_read_strictly() {
    check_each(
        CONTENT,
        &["Content-Length: 0\r\n", "content-length:0\r\n", "CONTENT-LENGTH: 000\r\n", ""],
        "200 open",
    );
    let refused = [
        "",
        "+1",
        "-1",
        "-0",
        "1 ,1",
        "1, 1",
        "1,",
        ",1",
        "1 1",
        "0x1",
        "1e1",
        "1.0",
        "a",
        "1a",
        "\"1\"",
        "1;a",
        "\u{b2}",
        "0b1",
        "1_0",
        "18446744073709551616",
        "99999999999999999999999999",
        "1\t1",
        "\u{ff}1",
        "--1",
        "0,0",
    ];
    for value in refused {
        check(&CONTENT.replace('@', &format!("Content-Length: {value}\r\n")), "400 linger");
    }
    check_each(
        CONTENT,
        &[
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length: 1\r\ncontent-length: 2\r\n",
            "Content-Length: 0\r\nX: y\r\nContent-Length: 0\r\n",
            "Content-Length : 1\r\n",
        ],
        "400 linger",
    );
    check(&CONTENT.replace('@', "Content-Length: 18446744073709551615\r\n"), "413 linger");
}

#[test]
fn codings_are_read_strictly() {
    let with = |value: &str| CONTENT.replace('@', &format!("Transfer-Encoding:{value}\r\n")) + "0\r\n\r\n";
    for value in [" chunked", "chunked", " Chunked", " CHUNKED\t", " ,chunked", " chunked,", " , chunked , "]
    {
        check(&with(value), "200 open");
    }
    for value in [
        "",
        " ",
        " ,",
        " identity",
        " gzip",
        " chunked, gzip",
        " chunked, chunked",
        " chunked;a=b",
        " chunked ;a",
        " xchunked",
        " chunkedx",
        " \"chunked\"",
        " chunked chunked",
        " chunked, identity",
        " chun ked",
        " 'chunked'",
        " chunked\u{ff}",
        " chunked/1",
        " gzip;q=1",
    ] {
        check(&with(value), "400 linger");
    }
    for value in [" gzip, chunked", " identity, chunked", " deflate,gzip , chunked", " x, chunked"] {
        check(&with(value), "501 linger");
    }
    check_each(
        CONTENT,
        &[
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\ntransfer-encoding: identity\r\n",
            "Transfer-Encoding : chunked\r\n",
            "Transfer-Encoding: chunked\r\n x\r\n",
            "Transfer-Encoding\u{0}: chunked\r\n",
        ],
        "400 linger",
    );
    check(&CONTENT.replace('@', "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), "501 linger");
}

#[test]
fn lengths_and_codings_exclude_each_other() {
    check_each(
        CONTENT,
        &[
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
            "Transfer-Encoding: identity\r\nContent-Length: 0\r\n",
            "Transfer-Encoding:\r\nContent-Length: 0\r\n",
        ],
        "400 linger",
    );
    check_each(
        "PUT /files/a HTTP/1.0\r\n@\r\n0\r\n\r\n",
        &[
            "Transfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n",
            "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        ],
        "400 linger",
    );
}

#[test]
fn chunks_are_read_strictly() {
    let chunked = "PUT /files/a {}Transfer-Encoding: chunked\r\n\r\n@";
    check_each(
        chunked,
        &[
            "0\r\n\r\n",
            "000\r\n\r\n",
            "1\r\na\r\n0\r\n\r\n",
            "0001\r\na\r\n0\r\n\r\n",
            "a\r\n0123456789\r\n0\r\n\r\n",
            "A;x\r\n0123456789\r\n0\r\n\r\n",
            "1;a=b;c=\"d\\\"e\" ; f\r\na\r\n0;g=h\r\n\r\n",
            "1\t;\ta\t=\tb\r\na\r\n0\r\n\r\n",
            "1;a=\"\u{e9};\"\r\na\r\n0\r\n\r\n",
            "1\r\n\r\r\n1\r\n\n\r\n0\r\n\r\n",
            "0\r\nA: b\r\nC:\r\n\r\n",
            "0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\nHost: y\r\n\r\n",
        ],
        "200 open",
    );
    check_each(
        chunked,
        &[
            "\r\n",
            ";a\r\n",
            "x\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            " 1\r\n",
            "1 \r\n",
            "1\n",
            "1\r",
            "\n",
            "1,\r\n",
            "1;\r\n",
            "1; \r\n",
            "1;=a\r\n",
            "1;a=\r\n",
            "1;a=\"b\r\n",
            "1;a=\"b\"c\r\n",
            "1;a b\r\n",
            "1;a=b c\r\n",
            "1;;a\r\n",
            "1;a\n",
            "1;a=\"\\\u{0}\"\r\n",
            "1\r\nab",
            "1\r\na\n",
            "1\r\na\r\r",
            "1\r\na0\r\n\r\n",
            "3\r\na\r\n0\r\n\r\n",
            "10000000000000000\r\n",
            "fffffffffffffffff\r\n",
            "0\r\nA\r\n",
            "0\r\n: a\r\n",
            "0\r\nA : b\r\n",
            "0\r\n A: b\r\n",
            "0\r\nA: b\r\n c\r\n",
            "0\r\nA: b\n",
            "0\r\nA: \u{0}\r\n",
            "0\r\n\rx",
            "0\r\n\n",
            "0\n\r\n",
            "1\u{0}\r\n",
            "1\u{e9}\r\n",
            "0\r\nA\u{e9}: b\r\n",
        ]
        .map(|case| if case == "1\r" { "1\rx" } else { case }),
        "400 linger",
    );
    check(&chunked.replace('@', "ffffffffffffffff\r\n"), "open");
    check(&chunked.replace('@', &format!("1;{:a<1$}", "", 17_000)), "400 linger");
    check(&chunked.replace('@', &format!("0\r\nA:{:a<1$}", "", 17_000)), "400 linger");
    check(&chunked.replace('@', &format!("{:0<1$}", "", 17_000)), "400 linger");
    check(&chunked.replace('@', &format!("0\r\n{}", "A: b\r\n".repeat(3000))), "400 linger");
}

#[test]
fn content_is_read_past_on_every_method() {
    for (method, target, status) in [
        ("GET", "/", 200),
        ("GET", "/files/a", 200),
        ("DELETE", "/files/a", 200),
        ("OPTIONS", "*", 204),
        ("POST", "/", 405),
        ("PUT", "/nothing", 404),
        ("PUT", "/files/..", 400),
        ("BREW", "/", 501),
        ("TRACE", "/", 501),
        ("PUT", "/files/full", 507),
    ] {
        let length = format!("{method} {target} {{}}Content-Length: 5\r\n\r\nGET /GET / {{}}\r\n");
        check(&length, &format!("{status} 200 open"));
        let chunked = format!(
            "{method} {target} {{}}Transfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\n\r\nGET / {{}}\r\n"
        );
        check(&chunked, &format!("{status} 200 open"));
    }
    let long = 300 * 1024;
    check(&format!("POST / {{}}Content-Length: {long}\r\n\r\n"), "405 linger");
    check(&format!("GET / {{}}Content-Length: {long}\r\n\r\n"), "200 linger");
}

/// Goal: nothing that is hidden in one request is taken for another. Method: known ways of hiding
/// one; whatever is refused, and whatever is content, the hidden request is never answered.
#[test]
fn smuggled_requests_are_not_answered() {
    let hidden = "DELETE /files/hidden {}\r\n";
    for (head, verdict) in [
        ("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 linger"),
        ("Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n", "400 linger"),
        ("Transfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n", "400 linger"),
        ("Transfer-Encoding:\u{b}chunked\r\nContent-Length: 0\r\n\r\n", "400 linger"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n", "400 linger"),
        ("X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 linger"),
        ("X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 linger"),
        ("Content-Length: 0\r\nContent-Length: 44\r\n\r\n", "400 linger"),
        ("Content-Length: 0, 44\r\n\r\n", "400 linger"),
        ("Content-Length:\r\n 0\r\n\r\n", "400 linger"),
        ("Transfer-Encoding: chunked\r\n\r\n0;\n\r\n\r\n", "400 linger"),
        ("Transfer-Encoding: chunked\r\n\r\n0 x\r\n\r\n", "400 linger"),
        ("Transfer-Encoding: chunked\r\n\r\n1\r\naX0\r\n\r\n", "400 linger"),
        ("Connection: close\r\n\r\n", "200 linger"),
    ] {
        let seen = send(&format!("PUT /files/a {{}}{head}{hidden}"));
        assert_eq!(seen.verdict(), verdict, "{head:?}");
        assert!(!seen.operations.iter().any(|operation| operation.contains("hidden")), "{head:?}");
    }
}
