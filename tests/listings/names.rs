//! Names that want to be something else: each link leads to its file, and none breaks out of the page.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use serde_json::Value;
use tests::{Client, Server, ledger};

use super::{ask, json};

fn hostile_names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = [
        &b"plain.txt"[..],
        b"\"quoted\"",
        b"it's",
        b"<script>alert(1)<",
        b"<img src=x onerror=alert(1)>",
        b"\"><svg onload=alert(1)>",
        b"{{ name }}",
        b"{% raw %}",
        b"--><!--",
        b"]]>",
        b"&amp;",
        b"&#60;b&#62;",
        b"a\nb",
        b"a\r\nX: y",
        b"\t",
        b"%",
        b"%41",
        b"%2e%2e",
        b"%00",
        b"?query",
        b"#fragment",
        b"a?b#c",
        b" leading",
        b"trailing ",
        b" ",
        b"...",
        b"..a",
        b". .",
        b"~",
        b"-rf",
        b"javascript:alert(1)",
        b"http:",
        b"a:b",
        b"\\",
        b"..\\up",
        b"\xff",
        b"\xff\xfe\x80",
        b"caf\xc3\xa9",
        b"caf\xe9",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\x01\x1b[2J\x7f",
        b"index.html",
        b"+ and =;&,@$!*()[]",
    ]
    .iter()
    .map(|name| name.to_vec())
    .collect();
    names.push("\u{202e}gpj.exe".into());
    names.push("\u{200b}\u{feff}".into());
    names.push("naïve 文字 🦀".into());
    names.push(vec![b'n'; 255]);
    names.push(vec![b'<'; 255]);
    names.push(vec![0xff; 255]);
    names.push((1..=255).filter(|byte| *byte != b'/').collect());
    names
}

/// Goal: a client that follows the links reaches every file, whatever it is called. Method: each file
/// holds its own name; the page and the document are read as a client reads them.
#[test]
fn every_link_leads_to_its_file() {
    let server = Server::start(&["--quiet"]);
    let names = hostile_names();
    // Listed, too, as a part of a path.
    let folder = server.directory().join(OsStr::from_bytes(b"in \"<%\xff>"));
    fs::create_dir(&folder).unwrap();
    for name in &names {
        fs::write(folder.join(OsStr::from_bytes(name)), name).unwrap();
    }
    let base = "/files/in%20%22%3C%25%FF%3E/";
    let mut client = server.connect();
    let page = ask(&mut client, &format!("GET {base}"), "");
    let html = page.text().to_owned();
    let mut followed = 0;
    let mut follow = |client: &mut Client, href: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
        assert!(href.bytes().all(plain), "{href:?}");
        let answer = ask(client, &format!("GET {base}{href}"), "");
        assert_eq!(answer.status, 200, "{href:?}");
        followed += 1;
        answer.content
    };
    let links = links(&html);
    assert_eq!(links.len(), names.len());
    let mut found = BTreeMap::new();
    for (href, shown) in links {
        found.insert(follow(&mut client, &href), shown);
    }
    assert!(found.keys().eq(names.iter().collect::<std::collections::BTreeSet<_>>()));
    let listing = json(&mut client, base);
    let mut in_json = Vec::new();
    for entry in listing["entries"].as_array().unwrap() {
        let content = follow(&mut client, entry["href"].as_str().unwrap());
        let name = str::from_utf8(&content).map_or(Value::Null, Value::from);
        assert_eq!(entry["name"], name, "what is no UTF-8 has a link, and no name");
        in_json.push(content);
    }
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(in_json, sorted, "in the order of their bytes");
    ledger::record("listings:names", &[("names", names.len() as u64), ("followed", followed)]);
}

/// The links to entries, each with what is shown of it, tags and all.
fn links(html: &str) -> Vec<(String, String)> {
    let table = html.split_once("<tbody>").unwrap().1.split_once("</tbody>").unwrap().0;
    let rows = table.split("<tr data-entry=\"file\"").skip(1);
    let link = |row: &str| {
        let (href, rest) = row.split_once("<a href=\"").unwrap().1.split_once('"').unwrap();
        let shown = rest.split_once("<bdi>").unwrap().1.split_once("</bdi>").unwrap().0;
        (href.to_owned(), shown.to_owned())
    };
    rows.map(link).collect()
}

/// Goal: no name becomes markup. Method: the tags of a page with hostile names are those of one with
/// harmless ones, but for the codes that stand for what cannot be shown; text has no control bytes.
#[test]
fn no_name_becomes_markup() {
    let server = Server::start(&["--quiet"]);
    let names = hostile_names();
    for folder in ["hostile", "harmless"] {
        fs::create_dir(server.directory().join(folder)).unwrap();
    }
    for (number, name) in names.iter().enumerate() {
        fs::write(server.directory().join("hostile").join(OsStr::from_bytes(name)), "").unwrap();
        fs::write(server.directory().join("harmless").join(number.to_string()), "").unwrap();
    }
    let mut client = server.connect();
    let mut tags = |folder: &str| {
        let page = ask(&mut client, &format!("GET /files/{folder}/"), "");
        let html = page.text().to_owned();
        let control = |character: char| character.is_control() && character != '\n';
        assert!(!html.contains(control), "a control character");
        let table = html.split_once("<table data-deletes>").unwrap().1.split_once("</table>").unwrap().0;
        let tags = table.split('<').skip(1).map(|tag| tag.split_once('>').unwrap().0);
        let name = |tag: &str| tag.split(' ').next().unwrap().to_owned();
        tags.map(name).filter(|tag| !tag.ends_with("code")).collect::<Vec<_>>()
    };
    assert_eq!(tags("hostile"), tags("harmless"));
}
