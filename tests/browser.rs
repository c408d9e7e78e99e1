//! The page of a directory in a browser: what it shows, and what can be done on it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests fails the test that it helps"
)]

#[path = "browser/devtools.rs"]
mod devtools;

use std::fs;
use std::path::Path;

use devtools::Browser;
use serde_json::Value;
use tests::{Server, exchange, ledger};

/// Names that are markup, script, or more than a line.
const NAMES: [&str; 9] = [
    "plain.txt",
    "\"quoted\" & 'quoted'.txt",
    "<img src=x onerror=\"hacked=1\">",
    "<script>hacked=1<",
    "two\nlines.txt",
    "100%?#41.txt",
    " spaces ",
    "naïve 文字 🦀.txt",
    "javascript:hacked=1",
];

/// A browser and a server; nothing where there is no browser.
fn start(check: &str, flags: &[&str]) -> Option<(Browser, Server)> {
    if !devtools::is_installed() {
        ledger::skipped(check, "there is no chromium");
        return None;
    }
    Some((Browser::start(), Server::start(&[&["--quiet", "--durability=cache"], flags].concat())))
}

fn url(server: &Server, path: &str) -> String {
    format!("http://{}{path}", server.address())
}

/// Says yes, or no, in the dialog that a click opens.
fn confirm(browser: &mut Browser, answer: &str) {
    browser.wait("document.querySelector('#confirm').open");
    browser.evaluate(&format!("document.querySelector('#confirm [value={answer}]').click()"));
}

/// Clicks the button in the row whose entry is shown so.
fn click_delete(browser: &mut Browser, shown: &str) {
    let shown = serde_json::to_string(shown).unwrap();
    let find = format!(
        "[...document.querySelectorAll('tr[data-entry]')].find((row) => \
         row.querySelector('bdi').textContent === {shown}).querySelector('.delete')"
    );
    browser.evaluate(&format!("{find}.click()"));
}

fn said(browser: &mut Browser, part: &str) {
    let part = serde_json::to_string(part).unwrap();
    browser.wait(&format!("document.querySelector('#said').textContent.includes({part})"));
}

fn files_in(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name == ".http_server" {
        } else if entry.file_type().unwrap().is_dir() {
            let inner = files_in(&entry.path()).into_iter();
            files.extend(inner.map(|(inner, content)| (format!("{name}/{inner}"), content)));
        } else {
            files.push((name, fs::read(entry.path()).unwrap()));
        }
    }
    files.sort();
    files
}

/// Goal: a browser shows each name as text and follows each link to its file. Method: files that hold
/// their own names, read back through the links; nothing runs but the page's own script.
#[test]
fn names_are_shown_and_links_are_followed() {
    let Some((mut browser, server)) = start("browser:names", &[]) else { return };
    for name in NAMES {
        fs::write(server.directory().join(name), name).unwrap();
    }
    browser.open(&url(&server, "/files/"));
    let shown = browser.evaluate(
        "Promise.all([...document.querySelectorAll('tr[data-entry] a')].map(async (link) => \
         [link.querySelector('bdi').textContent, await (await fetch(link.href)).text()]))",
    );
    let mut expected: Vec<[String; 2]> =
        NAMES.iter().map(|name| [name.replace('\n', "\\u{a}"), (*name).to_owned()]).collect();
    expected.sort_by(|one, other| one[1].cmp(&other[1]));
    assert_eq!(shown, serde_json::to_value(expected).unwrap());
    assert_eq!(browser.evaluate("typeof hacked"), "undefined");
    // By the keyboard as by the pointer: a column is a link.
    browser.evaluate("document.querySelector('th.size a').click()");
    browser.wait("document.querySelector('th.size')?.getAttribute('aria-sort') === 'ascending'");
    browser.open(&url(&server, "/"));
    browser.expect_no_complaint();
    ledger::record("browser:names", &[("names", NAMES.len() as u64)]);
}

/// Goal: what is chosen or dropped arrives as it is, under its name, in folders that appear with it.
#[test]
fn files_and_folders_are_uploaded() {
    let Some((mut browser, server)) = start("browser:uploads", &[]) else { return };
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("a \"folder\" & <more>");
    fs::create_dir_all(folder.join("deep/er")).unwrap();
    let mut paths = Vec::new();
    for name in NAMES {
        let path = outside.path().join(name);
        fs::write(&path, name.repeat(1000)).unwrap();
        fs::write(folder.join("deep/er").join(name), name).unwrap();
        paths.push(path);
    }
    let paths: Vec<&Path> = paths.iter().map(AsRef::as_ref).collect();
    browser.open(&url(&server, "/files/"));
    assert_eq!(browser.evaluate("document.querySelector('#tools').hidden"), false);
    let uploaded = |browser: &mut Browser, count: usize| {
        browser.wait(&format!("document.querySelectorAll('#uploads .good').length === {count}"));
    };
    browser.choose("#files", &paths);
    uploaded(&mut browser, NAMES.len());
    browser.wait(&format!("document.querySelectorAll('tr[data-entry]').length === {}", NAMES.len()));
    browser.evaluate("document.querySelector('#into').value = '/new//\"here\"/'");
    browser.choose("#folders", &[&folder]);
    uploaded(&mut browser, 2 * NAMES.len());
    browser.evaluate("document.querySelector('#into').value = 'dropped'");
    browser.drop_files(&[&folder, paths[1]]);
    uploaded(&mut browser, 3 * NAMES.len() + 1);
    let mut expected = Vec::new();
    for name in NAMES {
        expected.push((name.to_owned(), name.repeat(1000).into_bytes()));
        for into in ["new/\"here\"", "dropped"] {
            let path = format!("{into}/a \"folder\" & <more>/deep/er/{name}");
            expected.push((path, name.as_bytes().to_vec()));
        }
    }
    expected.push((format!("dropped/{}", NAMES[1]), NAMES[1].repeat(1000).into_bytes()));
    expected.sort();
    let found = files_in(server.directory());
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|file| file.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected));
    assert!(found == expected, "the contents");
    browser.wait("document.querySelectorAll('tr[data-entry=directory]').length === 2");
    browser.expect_no_complaint();
    ledger::record("browser:uploads", &[("files", found.len() as u64)]);
}

/// Goal: nothing is replaced that was not seen. Method: a file is there already; it changes once more
/// while the question is open.
#[test]
fn what_is_there_is_replaced_only_as_it_was_seen() {
    let Some((mut browser, server)) = start("browser:replace", &[]) else { return };
    let outside = tempfile::tempdir().unwrap();
    let path = outside.path().join("file");
    fs::write(&path, "mine").unwrap();
    assert_eq!(exchange(&server, "PUT /files/file", "theirs").status, 201);
    browser.open(&url(&server, "/files/"));
    let state = |browser: &mut Browser, state: &str| {
        let state = serde_json::to_string(state).unwrap();
        browser.wait(&format!("document.querySelector('#uploads .state')?.textContent === {state}"));
    };
    let replace = "[...document.querySelectorAll('#uploads button')].find((button) => \
                   button.textContent === 'Replace…').click()";
    let content = || exchange(&server, "GET /files/file", "").text().to_owned();
    browser.choose("#files", &[&path]);
    state(&mut browser, "refused: a file is there already");
    browser.evaluate(replace);
    confirm(&mut browser, "no");
    assert_eq!(content(), "theirs");
    browser.evaluate(replace);
    browser.wait("document.querySelector('#confirm').open");
    let detail = browser.evaluate("document.querySelector('#confirm p').textContent");
    assert!(detail.as_str().unwrap().contains("6 bytes"), "{detail}");
    assert_eq!(exchange(&server, "PUT /files/file", "theirs again").status, 200);
    confirm(&mut browser, "yes");
    state(&mut browser, "refused: a file is there already");
    assert_eq!(content(), "theirs again");
    browser.evaluate(replace);
    confirm(&mut browser, "yes");
    state(&mut browser, "replaced");
    assert_eq!(content(), "mine");
    browser.expect_no_complaint();
    // What cannot be seen is not said to be gone.
    browser.choose("#files", &[&path]);
    browser.wait("[...document.querySelectorAll('.state')].at(-1).textContent.startsWith('refused')");
    server.stop();
    browser.evaluate(replace);
    said(&mut browser, "file is not replaced: what is there cannot be seen");
    ledger::record("browser:replace", &[("refused", 2)]);
}

/// Goal: what is deleted was asked for and was seen. Method: as above, on the row.
#[test]
fn what_is_deleted_was_confirmed_and_seen() {
    let Some((mut browser, server)) = start("browser:delete", &[]) else { return };
    for name in NAMES {
        fs::write(server.directory().join(name), "content").unwrap();
    }
    assert_eq!(exchange(&server, "PUT /files/full/file", "").status, 201);
    fs::create_dir(server.directory().join("empty")).unwrap();
    browser.open(&url(&server, "/files/"));
    click_delete(&mut browser, "plain.txt");
    confirm(&mut browser, "no");
    click_delete(&mut browser, "full");
    confirm(&mut browser, "yes");
    said(&mut browser, "full is not deleted: the directory is not empty");
    assert_eq!(exchange(&server, "PUT /files/plain.txt", "changed").status, 200);
    click_delete(&mut browser, "plain.txt");
    confirm(&mut browser, "yes");
    said(&mut browser, "plain.txt is not deleted: it has changed");
    // Without a mouse one goes on where one was.
    let focused = "document.activeElement.getAttribute('aria-label')";
    browser.wait(&format!("{focused} === 'Delete plain.txt'"));
    assert_eq!(files_in(server.directory()).len(), NAMES.len() + 1);
    let gone = ["empty"].into_iter().chain(NAMES.into_iter().skip(1));
    for (number, name) in gone.enumerate() {
        let shown = name.replace('\n', "\\u{a}");
        click_delete(&mut browser, &shown);
        confirm(&mut browser, "yes");
        said(&mut browser, &format!("{shown} is deleted"));
        browser.wait(&format!(
            "document.querySelectorAll('tr[data-entry]').length === {}",
            NAMES.len() + 1 - number
        ));
        browser.wait("document.activeElement.matches('#entries .delete')");
    }
    let left: Vec<String> = files_in(server.directory()).into_iter().map(|file| file.0).collect();
    assert_eq!(left, ["full/file", "plain.txt"]);
    browser.expect_no_complaint();
    ledger::record("browser:delete", &[("deleted", NAMES.len() as u64)]);
}

/// Goal: an upload can be stopped, and what the server refuses is said. Method: a line that is slow, and
/// a server that takes little.
#[test]
fn uploads_are_cancelled_and_refused() {
    let Some((mut browser, server)) = start("browser:cancel", &["--content-bytes-max=3MiB"]) else { return };
    let outside = tempfile::tempdir().unwrap();
    let (long, longer) = (outside.path().join("long"), outside.path().join("longer"));
    fs::write(&long, vec![b'x'; 2 << 20]).unwrap();
    fs::write(&longer, vec![b'x'; (3 << 20) + 1000]).unwrap();
    browser.open(&url(&server, "/files/"));
    let slow = serde_json::json!({
        "offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 10_000,
    });
    browser.call("Network.emulateNetworkConditions", slow);
    browser.choose("#files", &[&long]);
    browser.wait("document.querySelector('#uploads progress')?.value > 0");
    browser.evaluate("document.querySelector('#uploads button').click()");
    browser.wait("document.querySelector('#uploads .state').textContent === 'cancelled'");
    let fast = serde_json::json!({
        "offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1,
    });
    browser.call("Network.emulateNetworkConditions", fast);
    browser.choose("#files", &[&longer]);
    browser.wait("document.querySelectorAll('#uploads .bad').length === 2");
    let state = browser.evaluate("[...document.querySelectorAll('#uploads .state')].at(-1).textContent");
    assert!(
        ["refused: ", "failed: "].iter().any(|word| state.as_str().unwrap().starts_with(word)),
        "{state}"
    );
    browser.evaluate("document.querySelector('#into').value = '..'");
    browser.choose("#files", &[&long]);
    browser.wait("document.querySelectorAll('#uploads .bad').length === 3");
    assert_eq!(files_in(server.directory()), []);
    browser.expect_no_complaint();
    ledger::record("browser:cancel", &[("bad", 3)]);
}

/// Goal: who may only create, or only delete, is offered that and no more, and it works. Method: a server for
/// each; the file that is uploaded twice cannot be replaced, and is not offered to be.
#[test]
fn a_page_has_the_tools_for_what_may_be_done() {
    let rules = "--allow=anonymous:read,list,create:/";
    let Some((mut browser, server)) = start("browser:rights", &[rules]) else { return };
    let outside = tempfile::tempdir().unwrap();
    let path = outside.path().join("file");
    fs::write(&path, "content").unwrap();
    browser.open(&url(&server, "/files/"));
    for state in ["created", "refused: whoever asks may not do this with what is there, or is missing"] {
        browser.choose("#files", &[&path]);
        let state = serde_json::to_string(state).unwrap();
        browser.wait(&format!("[...document.querySelectorAll('.state')].at(-1)?.textContent === {state}"));
    }
    browser.wait("document.querySelectorAll('tr[data-entry]').length === 1");
    assert_eq!(browser.evaluate("document.querySelectorAll('button.delete, #uploads button').length"), 0);
    browser.expect_no_complaint();
    let server = Server::start(&["--quiet", "--allow=anonymous:list,delete:/"]);
    fs::write(server.directory().join("file"), "content").unwrap();
    browser.open(&url(&server, "/files/"));
    assert_eq!(browser.evaluate("document.querySelectorAll('form#tools').length"), 0);
    click_delete(&mut browser, "file");
    confirm(&mut browser, "yes");
    said(&mut browser, "file is deleted");
    assert_eq!(files_in(server.directory()), []);
    browser.expect_no_complaint();
    ledger::record("browser:rights", &[("tools", 2)]);
}

/// Without scripts the page is a listing, and nothing is on it that does nothing.
#[test]
fn a_page_without_scripts_is_a_listing() {
    let Some((mut browser, server)) = start("browser:plain", &[]) else { return };
    fs::write(server.directory().join("file"), "content").unwrap();
    browser.call("Emulation.setScriptExecutionDisabled", serde_json::json!({"value": true}));
    browser.call("Page.navigate", serde_json::json!({"url": url(&server, "/files/")}));
    let tree = loop {
        let tree = browser.call("Accessibility.getFullAXTree", serde_json::json!({}))["nodes"].clone();
        let links = roles(&tree, "link");
        if links.contains(&"file".to_owned()) {
            break tree;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    assert_eq!(roles(&tree, "button"), [""; 0]);
    assert_eq!(roles(&tree, "textbox"), [""; 0]);
    assert_eq!(roles(&tree, "columnheader").len(), 3);
    ledger::record("browser:plain", &[("links", roles(&tree, "link").len() as u64)]);
}

/// The names of all that has a role for whoever hears the page.
fn roles(tree: &Value, role: &str) -> Vec<String> {
    let nodes = tree.as_array().unwrap().iter();
    let nodes = nodes.filter(|node| node["role"]["value"] == role && node["ignored"] != true);
    nodes.map(|node| node["name"]["value"].as_str().unwrap_or_default().to_owned()).collect()
}
