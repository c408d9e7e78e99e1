//! Every resource beside the files: what it answers, to which methods, in which versions.

use tests::{Server, check, exchange, request};

#[test]
fn the_start_page_links_to_the_files() {
    let server = Server::start(&[]);
    let page = check(&server, request("GET /", ""), "200 keep");
    assert!(page.text().contains("\"/files/\""), "{}", page.text());
    assert!(page.field("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{page:?}");
}

#[test]
fn echo_gives_the_decoded_value_back_exactly() {
    let server = Server::start(&[]);
    for (value, expected) in [
        ("hello", &b"hello"[..]),
        ("", b""),
        ("a/b//c/", b"a/b//c/"),
        ("a%20b%2Fc", b"a b/c"),
        ("%00%ff%0D%0A", b"\0\xff\r\n"),
        ("%2541", b"%41"),
        ("..", b".."),
        ("a?query", b"a"),
        ("a+b;c=d&e", b"a+b;c=d&e"),
    ] {
        let answer = check(&server, request(&format!("GET /echo/{value}"), ""), "200 keep");
        assert_eq!(answer.content, expected, "{value}");
        assert_eq!(answer.field("content-type"), Some("text/plain; charset=utf-8"), "{value}");
    }
    check(&server, request("GET /echo/%4", ""), "400 keep");
    check(&server, request("GET /echo/%zz", ""), "400 keep");
}

#[test]
fn user_agent_gives_the_field_back() {
    let server = Server::start(&[]);
    let ask = |fields: &str| {
        let answer =
            check(&server, format!("GET /user-agent HTTP/1.1\r\nHost: h\r\n{fields}\r\n"), "200 keep");
        assert!(
            answer.field("content-type").is_some_and(|kind| kind.starts_with("text/plain")),
            "{answer:?}"
        );
        answer.text().to_owned()
    };
    assert_eq!(ask("User-Agent: curl/8 (x; y)\r\n"), "curl/8 (x; y)");
    assert_eq!(ask("uSER-aGENT:\t padded \t\r\n"), "padded");
    assert_eq!(ask(""), "");
}

#[test]
fn head_answers_like_get_without_content() {
    let server = Server::start(&[]);
    assert_eq!(exchange(&server, "PUT /files/file.txt", "content").status, 201);
    for target in ["/", "/echo/value", "/user-agent", "/files/file.txt", "/files/missing", "/missing"] {
        let get = exchange(&server, &format!("GET {target}"), "");
        let expected = format!("{} keep", get.status);
        let head = check(&server, request(&format!("HEAD {target}"), ""), &expected);
        assert!(head.content.is_empty());
        assert_eq!(head.without_date().fields, get.without_date().fields, "{target}");
    }
}

#[test]
fn options_tell_the_methods_of_each_resource() {
    let server = Server::start(&[]);
    let readable = ["GET", "HEAD", "OPTIONS"];
    for target in ["/", "/echo/a", "/user-agent"] {
        let answer = check(&server, request(&format!("OPTIONS {target}"), ""), "204 keep");
        assert_eq!(answer.allow(), readable, "{target}");
    }
    let answer = check(&server, request("OPTIONS /files/a", ""), "204 keep");
    assert_eq!(answer.allow(), ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]);
    let answer = check(&server, request("OPTIONS *", ""), "204 keep");
    assert!(answer.allow().contains(&"OPTIONS"));
}

#[test]
fn a_method_that_the_resource_lacks_is_405_with_allow() {
    let server = Server::start(&[]);
    for target in ["/", "/echo/a", "/user-agent"] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let line = format!("{method} {target}");
            let answer = check(&server, request(&line, "unread content"), "405 keep");
            assert_eq!(answer.allow(), ["GET", "HEAD", "OPTIONS"], "{line}");
        }
    }
}

#[test]
fn a_method_that_nobody_knows_is_501() {
    let server = Server::start(&[]);
    for method in ["BREW", "get", "GETS", "TRACE", "PROPFIND", "M-SEARCH"] {
        let answer = exchange(&server, &format!("{method} /echo/a"), "");
        assert_eq!(answer.status, 501, "{method}");
    }
    assert_eq!(exchange(&server, "CONNECT h:80", "").status, 501);
}

#[test]
fn anything_else_is_404() {
    let server = Server::start(&[]);
    for target in ["/missing", "/echoes/a", "/user-agents", "/filesystem/a", "/.", "/%2F"] {
        check(&server, request(&format!("GET {target}"), ""), "404 keep");
    }
    check(&server, request("PUT /missing", "content"), "404 keep");
}

#[test]
fn the_absolute_form_is_the_same_resource() {
    let server = Server::start(&[]);
    let answer = check(&server, request("GET http://h/echo/a", ""), "200 keep");
    assert_eq!(answer.text(), "a");
    assert_eq!(exchange(&server, "GET https://h/echo/a", "").status, 421);
}

#[test]
fn another_major_version_is_505() {
    let server = Server::start(&[]);
    for version in ["HTTP/2.0", "HTTP/3.7"] {
        let mut client = server.connect();
        client.send(format!("GET / {version}\r\nHost: h\r\n\r\n"));
        assert_eq!(client.answer("GET").status, 505, "{version}");
    }
}
