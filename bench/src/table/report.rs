//! What is written down: a table in Markdown, and the same as a picture.

use std::fmt::{self, Write};
use std::path::Path;
use std::{fs, io};

use super::workload::Workload;

/// One round of one server.
#[derive(Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) rate: f64,
    pub(crate) cpu_microseconds: f64,
    pub p99_microseconds: f64,
}

/// One server in one workload.
pub(crate) struct Row {
    pub(crate) letter: char,
    pub(crate) title: &'static str,
    pub(crate) server: &'static str,
    pub(crate) rounds: Vec<Figures>,
    /// System calls of a request, where they were counted.
    pub(crate) calls: Option<f64>,
}

impl Row {
    pub(crate) fn new(workload: &Workload, server: &'static str, calls: Option<f64>) -> Row {
        Row { letter: workload.letter, title: workload.title, server, rounds: Vec::new(), calls }
    }

    fn median(&self, of: impl Fn(&Figures) -> f64) -> f64 {
        let mut all: Vec<f64> = self.rounds.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn cpu(&self) -> f64 {
        self.median(|figures| figures.cpu_microseconds)
    }

    fn rate(&self) -> f64 {
        self.median(|figures| figures.rate)
    }

    fn p99(&self) -> f64 {
        self.median(|figures| figures.p99_microseconds)
    }

    fn calls(&self) -> String {
        self.calls.map_or("-".to_owned(), |calls| format!("{calls:.1}"))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rate, cpu, p99, calls) = (self.rate(), self.cpu(), self.p99(), self.calls());
        write!(
            formatter,
            "{:12} {rate:10.1}/s {cpu:10.2} us CPU, p99 {p99:8.0} us, {calls} calls",
            self.server
        )
    }
}

/// The ratio of each row's processor time to its floor's, with the row.
fn ratios(rows: &[Row]) -> Vec<(&Row, &Row, f64)> {
    let floor = |row: &Row| rows.iter().find(|other| other.letter == row.letter && other.server == "floor");
    rows.iter().filter_map(|row| floor(row).map(|floor| (row, floor, row.cpu() / floor.cpu()))).collect()
}

/// Writes `table.md` and `table.svg`.
///
/// # Errors
/// What the system said.
pub(crate) fn write(folder: &Path, rows: &[Row], rounds: usize, seconds: f64) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("table.md"), table(rows, rounds, seconds))?;
    fs::write(folder.join("table.svg"), picture(rows))
}

fn table(rows: &[Row], rounds: usize, seconds: f64) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let processor = read("/proc/cpuinfo");
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let mut text = format!(
        "# This server, its floor and others\n\n\
         Made by `cargo run --release -p bench --bin table`: medians of {rounds} interleaved rounds of {seconds} s, \
         server on one processor, client on another one, over loopback. Linux {}, {}, congestion control {}.\n\n\
         CPU is the processor time of the server for one request (of a request in a batch), in all its processes; \
         the ratios are to the floor of the same workload, the bare system calls without HTTP (`bench/src/floor.rs`). \
         Less is better, but for requests. Ratios within a tenth of each other are no finding. System calls are those of \
         one request after another on one connection (of a whole batch in b), counted by `strace`.\n\n\
         ![CPU as a ratio to the floor](table.svg)\n",
        kernel.trim(),
        processor.trim_start_matches([' ', '\t', ':']),
        // What sends much depends on it more than on the server.
        read("/proc/sys/net/ipv4/tcp_congestion_control").trim(),
    );
    let mut letter = ' ';
    for (row, floor, ratio) in ratios(rows) {
        if row.letter != letter {
            letter = row.letter;
            let _ = write!(
                text,
                "\n## {letter}. {}\n\n| server | CPU, µs | ratio | requests/s | ratio | p99, µs | system calls |\n\
                 |---|---|---|---|---|---|---|\n",
                row.title
            );
        }
        let _ = writeln!(
            text,
            "| {} | {:.2} | **{ratio:.2}** | {:.0} | {:.2} | {:.0} | {} |",
            row.server,
            row.cpu(),
            row.rate(),
            row.rate() / floor.rate(),
            row.p99(),
            row.calls()
        );
    }
    text
}

/// Bars on a logarithmic scale: half the floor at the left, sixteen times at the right.
fn picture(rows: &[Row]) -> String {
    const COLOURS: [(&str, &str); 6] = [
        ("http_server", "#1b6ca8"),
        ("nginx", "#4c956c"),
        ("lighttpd", "#c98b1b"),
        ("h2o", "#8d5a97"),
        ("caddy", "#b23a48"),
        ("dufs", "#6b705c"),
    ];
    const WIDTH: f64 = 560.0;
    const LEFT: f64 = 250.0;
    let at = |ratio: f64| LEFT + WIDTH * ((ratio.clamp(0.25, 16.0) / 0.25).log2() / 6.0);
    let mut body = String::new();
    let mut y = 40.0;
    let mut letter = ' ';
    for (row, _, ratio) in ratios(rows).into_iter().filter(|(row, ..)| row.server != "floor") {
        if row.letter != letter {
            letter = row.letter;
            y += 8.0;
            let _ = writeln!(body, "<text x=\"8\" y=\"{:.0}\">{letter}. {}</text>", y + 11.0, row.title);
        }
        let colour =
            COLOURS.iter().find(|(name, _)| *name == row.server).map_or("#888888", |(_, colour)| colour);
        let (from, to) = (at(1.0).min(at(ratio)), at(1.0).max(at(ratio)));
        let _ = writeln!(
            body,
            "<rect x=\"{from:.1}\" y=\"{y:.0}\" width=\"{:.1}\" height=\"12\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{:.0}\">{} {ratio:.2}</text>",
            (to - from).max(1.0),
            to + 4.0,
            y + 11.0,
            row.server
        );
        y += 15.0;
    }
    let mut lines = String::new();
    for ratio in [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0] {
        let (x, dark) = (at(ratio), if ratio == 1.0 { "#000000" } else { "#cccccc" });
        let _ = writeln!(
            lines,
            "<line x1=\"{x:.1}\" y1=\"34\" x2=\"{x:.1}\" y2=\"{y:.0}\" stroke=\"{dark}\"/>\
             <text x=\"{x:.1}\" y=\"28\" text-anchor=\"middle\">{ratio}</text>"
        );
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{:.0}\" height=\"{:.0}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"8\" y=\"14\">Processor time of a request as a ratio to the bare system calls; less is better</text>\n\
         {lines}{body}</svg>\n",
        LEFT + WIDTH + 120.0,
        y + 12.0
    )
}
