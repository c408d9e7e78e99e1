//! Listings of directories, end to end: hostile names, long directories, static sites.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails the test that it helps")]

#[path = "listings/names.rs"]
mod names;
#[path = "listings/pages.rs"]
mod pages;

use std::fs;

use serde_json::Value;
use tests::{Answer, Client, Server, check, exchange, ledger};

/// One request with these field lines, and its answer.
#[track_caller]
fn ask(client: &mut Client, line: &str, fields: &str) -> Answer {
    client.send(format!("{line} HTTP/1.1\r\nHost: h\r\n{fields}\r\n"));
    client.answer(line.split(' ').next().unwrap())
}

const JSON: &str = "Accept: application/json\r\n";

#[track_caller]
fn json(client: &mut Client, target: &str) -> Value {
    let answer = ask(client, &format!("GET {target}"), JSON);
    assert_eq!(answer.status, 200, "{target}: {}", answer.text());
    assert_eq!(answer.field("content-type"), Some("application/json"), "{target}");
    serde_json::from_slice(&answer.content).unwrap()
}

/// The links of the entries of a listing as JSON.
fn hrefs(listing: &Value) -> Vec<String> {
    let entries = listing["entries"].as_array().unwrap();
    entries.iter().map(|entry| entry["href"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_directory_is_answered_with_its_listing() {
    let server = Server::start(&[]);
    assert_eq!(exchange(&server, "PUT /files/d/file", "content").status, 201);
    assert_eq!(exchange(&server, "PUT /files/d/e/f", "").status, 201);
    let tag = exchange(&server, "HEAD /files/d/file", "").field("etag").unwrap().to_owned();
    let mut client = server.connect();
    let page = ask(&mut client, "GET /files/d/", "");
    assert_eq!(page.status, 200);
    for (field, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("vary", "Accept"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(page.field(field), Some(value));
    }
    // RFC 9110 §15.4.5: with what would have been sent about the form.
    let same = ask(&mut client, "GET /files/d/", "If-None-Match: *\r\n");
    assert_eq!(
        (same.status, same.field("vary"), same.field("cache-control")),
        (304, Some("Accept"), Some("no-store"))
    );
    assert!(page.field("content-security-policy").unwrap().starts_with("default-src 'none';"));
    for part in
        ["href=\"file\"", "href=\"e/\"", "href=\"../\"", "title=\"7 bytes\"", "?limit=1000&amp;sort=size"]
    {
        let part = part.replace("&amp;", "&#38;");
        assert!(page.text().contains(&part), "{part} is not in {}", page.text());
    }
    let listing = json(&mut client, "/files/d/");
    assert_eq!(listing["path"], "/files/d/");
    assert_eq!((&listing["order"], &listing["next"]), (&Value::from("name"), &Value::Null));
    let entry = &listing["entries"][1];
    for (key, value) in [("name", "file"), ("href", "file"), ("kind", "file"), ("tag", &tag)] {
        assert_eq!(entry[key], value);
    }
    assert_eq!(entry["size"], 7);
    let modified = entry["modified"].as_str().unwrap();
    assert!(modified.starts_with("20") && modified.ends_with('Z') && modified.len() == 30, "{modified}");
    let folder = serde_json::json!({"name": "e", "href": "e/", "kind": "directory"});
    assert_eq!(listing["entries"][0], folder);
    // RFC 9110 §9.3.2.
    for fields in ["", JSON] {
        let get = ask(&mut client, "GET /files/d/", fields).without_date();
        let head = ask(&mut client, "HEAD /files/d/", fields).without_date();
        assert_eq!((head.status, head.content.len()), (200, 0));
        assert_eq!(head.fields, get.fields);
    }
    assert!(ask(&mut client, "GET /files/d/?format=json", "").text().starts_with("{\"path\""));
    assert!(ask(&mut client, "GET /files/d/?format=html", JSON).text().starts_with("<!DOCTYPE"));
}

/// What stands in the quotes behind each `before`.
fn quoted<'a>(page: &'a str, before: &str) -> Vec<&'a str> {
    page.split(before).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

/// Goal: a page leads to the directories above it, to itself in each order, and to its other pages.
#[test]
fn a_page_leads_up_and_to_its_other_orders() {
    let server = Server::start(&["--listing-sorted-max", "4"]);
    for name in ["d/e/g/1", "d/e/f", "d/e/h", "d/e/i"] {
        assert_eq!(exchange(&server, &format!("PUT /files/{name}"), name).status, 201);
    }
    let mut client = server.connect();
    let mut links = |target: &str| {
        let page = ask(&mut client, &format!("GET {target}"), "").text().to_owned();
        let (above, below) = page.split_once("</nav></h1>").unwrap();
        let up = quoted(above, "<a href=\"").join(" ");
        let columns = quoted(below, "<th scope=\"col\" class=\"").len();
        let orders = quoted(below, "href=\"?").join(" ").replace("&#38;", "&");
        let parent = below.contains("<a class=\"up\" href=\"../\"");
        let sorted = quoted(below, " aria-sort=\"").join(" ");
        assert_eq!(columns, 3);
        (up, orders, sorted, parent)
    };
    let expected = |up: &str, orders: &str, sorted: &str, parent| {
        (up.to_owned(), orders.to_owned(), sorted.to_owned(), parent)
    };
    let by_name = "limit=1000&order=desc limit=1000&sort=size limit=1000&sort=modified";
    assert_eq!(links("/files/"), expected("", by_name, "ascending", false));
    assert_eq!(links("/files/d/"), expected("../", by_name, "ascending", true));
    assert_eq!(links("/files/d/e/g/"), expected("../../../ ../../ ../", by_name, "ascending", true));
    assert_eq!(links("/files/d/e/?order=asc"), expected("../../ ../", by_name, "ascending", true));
    let down = "limit=1000 limit=1000&sort=size limit=1000&sort=modified";
    assert_eq!(links("/files/d/e/?order=desc"), expected("../../ ../", down, "descending", true));
    let by_size =
        "limit=2&format=html limit=2&sort=size&order=desc&format=html limit=2&sort=modified&format=html";
    let (up, orders, sorted, parent) = links("/files/d/e/?sort=size&limit=2&format=html");
    assert!(orders.starts_with(by_size) && orders.contains("&after="), "{orders}");
    assert_eq!((up.as_str(), sorted.as_str(), parent), ("../../ ../", "ascending", true));
    // A page that is not the first leads to the first one in each order.
    let next = orders.rsplit(' ').next().unwrap();
    let (_, orders, _, _) = links(&format!("/files/d/e/?{next}"));
    assert!(orders.starts_with(by_size), "{orders}");
    assert!(!orders[..by_size.len()].contains("after"), "{orders}");
    // Too many to be sorted.
    assert_eq!(exchange(&server, "PUT /files/d/e/j", "").status, 201);
    let (_, orders, sorted, _) = links("/files/d/e/?order=desc&limit=2");
    assert!(orders.starts_with("limit=2&order=desc&at=") && sorted.is_empty(), "{orders} {sorted}");
    let listing = json(&mut server.connect(), "/files/d/e/?order=desc&limit=2");
    assert_eq!((&listing["order"], &listing["descending"]), (&"directory".into(), &false.into()));
    let listing = json(&mut server.connect(), "/files/d/?order=desc");
    assert_eq!((&listing["order"], &listing["descending"]), (&"name".into(), &true.into()));
    let listing = json(&mut server.connect(), "/files/d/");
    assert_eq!((&listing["order"], &listing["descending"]), (&"name".into(), &false.into()));
    let listing = json(&mut server.connect(), "/files/d/e/?limit=2");
    assert_eq!((&listing["order"], &listing["descending"]), (&"directory".into(), &false.into()));
}

#[test]
fn without_its_slash_a_directory_has_moved() {
    let server = Server::start(&[]);
    assert_eq!(exchange(&server, "PUT /files/a%20b/%ff/file", "").status, 201);
    for method in ["GET", "HEAD"] {
        let answer =
            check(&server, tests::request(&format!("{method} /files/%61%20b/%ff?sort=size"), ""), "301 keep");
        assert_eq!(answer.field("location"), Some("/files/a%20b/%FF/"));
        assert_eq!(answer.field("cache-control"), Some("no-store"));
    }
    assert_eq!(exchange(&server, "GET /files/a%20b/%FF/", "").status, 200);
    assert_eq!(exchange(&server, "GET /files/a%20b/%ff/file/", "").status, 404);
    assert_eq!(exchange(&server, "GET /files/missing/", "").status, 404);
}

#[test]
fn a_listing_has_no_version_but_conditions() {
    let server = Server::start(&[]);
    assert_eq!(exchange(&server, "PUT /files/d/file", "").status, 201);
    let mut client = server.connect();
    for (fields, status) in [
        ("If-Match: *", 200),
        ("If-Match: \"1-2-3\"", 412),
        ("If-None-Match: *", 304),
        ("If-None-Match: \"1-2-3\"", 200),
        ("If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT", 200),
        ("If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT", 200),
        ("Range: bytes=0-1", 200),
    ] {
        let answer = ask(&mut client, "GET /files/d/", &format!("{fields}\r\n"));
        assert_eq!((answer.status, answer.field("etag")), (status, None), "{fields}");
        // RFC 9110 §13.2.1: of no account where the answer without them would be no success.
        assert_eq!(ask(&mut client, "GET /files/d", &format!("{fields}\r\n")).status, 301, "{fields}");
        assert_eq!(ask(&mut client, "GET /files/no/", &format!("{fields}\r\n")).status, 404, "{fields}");
    }
}

#[test]
fn words_of_the_query_that_mean_nothing_are_refused() {
    let server = Server::start(&[]);
    for query in [
        "sort=length",
        "order=up",
        "limit=0",
        "format=xml",
        "after=%4",
        "at=-1",
        "at=",
        "at=-",
        "value=x",
        "value=1x",
        "value=",
    ] {
        let answer = check(&server, tests::request(&format!("GET /files/?{query}"), ""), "400 keep");
        let word = query.split('=').next().unwrap();
        assert!(answer.text().starts_with(word), "{}", answer.text());
    }
    for query in ["order=asc", "order=desc", "sort=name", "after=a&value=-1"] {
        check(&server, tests::request(&format!("GET /files/?{query}"), ""), "200 keep");
    }
    assert_eq!(exchange(&server, "GET /files/?utm=1&x", "").status, 200);
    // Of a file the query says nothing.
    assert_eq!(exchange(&server, "PUT /files/a?sort=length", "").status, 201);
    assert_eq!(exchange(&server, "GET /files/a?sort=length", "").status, 200);
}

#[test]
fn a_site_is_served_by_its_index_files() {
    let server = Server::start(&["--index", "index.html", "--quiet"]);
    for (path, content) in
        [("index.html", "home"), ("docs/index.html", "docs"), ("plain/a", ""), ("odd/index.html/a", "")]
    {
        assert_eq!(exchange(&server, &format!("PUT /files/{path}"), content).status, 201);
    }
    let mut client = server.connect();
    for (target, content) in [("/files/", "home"), ("/files/docs/", "docs"), ("/files/docs/?sort=x", "")] {
        let answer = ask(&mut client, &format!("GET {target}"), "");
        if content.is_empty() {
            assert_eq!(answer.status, 400, "{target}");
            continue;
        }
        assert_eq!((answer.status, answer.text()), (200, content), "{target}");
        assert_eq!(answer.field("content-type"), Some("text/html; charset=utf-8"));
        let tag = answer.field("etag").unwrap();
        let again = ask(&mut client, &format!("GET {target}"), &format!("If-None-Match: {tag}\r\n"));
        assert_eq!(again.status, 304);
        assert_eq!(ask(&mut client, &format!("GET {target}"), "Range: bytes=1-2\r\n").status, 206);
    }
    assert_eq!(ask(&mut client, "GET /files/docs", "").field("location"), Some("/files/docs/"));
    // Without one, or where it is a directory, or where the form is asked for by name.
    assert_eq!(hrefs(&json(&mut client, "/files/plain/")), ["a"]);
    assert_eq!(hrefs(&json(&mut client, "/files/odd/")), ["index.html/"]);
    assert_eq!(hrefs(&json(&mut client, "/files/docs/?format=json")), ["index.html"]);
    for target in ["/files/missing/", "/files/docs/index.html/"] {
        assert_eq!(ask(&mut client, &format!("GET {target}"), "").status, 404, "{target}");
    }
    std::os::unix::fs::symlink("../docs/index.html", server.directory().join("plain/index.html")).unwrap();
    assert_eq!(ask(&mut client, "GET /files/plain/", "").status, 403);
}

#[test]
fn listings_can_be_switched_off() {
    let server = Server::start(&["--no-listing", "--index=index.html", "--quiet"]);
    assert_eq!(exchange(&server, "PUT /files/d/file", "content").status, 201);
    assert_eq!(exchange(&server, "PUT /files/site/index.html", "home").status, 201);
    let mut client = server.connect();
    for target in
        ["/files/", "/files/d/", "/files/d/?format=json", "/files/site/?format=html", "/files/d/?at=0"]
    {
        for fields in ["", "If-None-Match: *\r\n"] {
            let answer = ask(&mut client, &format!("GET {target}"), fields);
            assert_eq!(
                (answer.status, answer.text()),
                (403, "directories are not listed here\n"),
                "{target}"
            );
        }
    }
    assert_eq!(ask(&mut client, "GET /files/site/", "").text(), "home");
    assert_eq!(ask(&mut client, "GET /files/missing/", "").status, 404);
    assert_eq!(ask(&mut client, "GET /files/d/file", "").text(), "content");
    assert_eq!(ask(&mut client, "GET /files/d", "").status, 301);
}

/// Goal: the browser takes the page's own style, and nothing else. Method: the hashes that the policy
/// allows are those of what stands between the tags.
#[test]
fn the_policy_allows_what_is_on_the_page() {
    let server = Server::start(&[]);
    let mut checked = 0;
    for target in ["/", "/files/"] {
        let page = exchange(&server, &format!("GET {target}"), "");
        let policy = page.field("content-security-policy").unwrap();
        for (tag, directive) in [("style", "style-src"), ("script", "script-src")] {
            let content = page.text().split_once(&format!("<{tag}>"));
            let Some((content, _)) = content.and_then(|(_, rest)| rest.split_once(&format!("</{tag}>")))
            else {
                assert!(!policy.contains(directive), "{policy}");
                continue;
            };
            let expected = format!("{directive} 'sha256-{}'", sha256(content));
            assert!(policy.contains(&expected), "{target}: {expected} is not in {policy}");
            checked += 1;
        }
        assert!(!page.text().contains(" style=") && !page.text().contains("http:"), "{target}");
    }
    ledger::record("listings:policy", &[("hashes", checked)]);
}

/// In Base64, by the tools of the system.
fn sha256(text: &str) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let output = std::process::Command::new("sha256sum").arg(file.path()).output().unwrap();
    let digits = String::from_utf8(output.stdout).unwrap();
    let bytes: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()).collect();
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks(3)
        .flat_map(|chunk| {
            let group = (0..3).fold(0, |sum, at| sum << 8 | u32::from(chunk.get(at).copied().unwrap_or(0)));
            (0..4).map(move |at| match at <= chunk.len() {
                true => char::from(ALPHABET[(group >> (18 - 6 * at)) as usize & 63]),
                false => '=',
            })
        })
        .collect()
}
