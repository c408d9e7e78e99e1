//! What is written down: a table of each curve, and a picture of all.

use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

use super::curve::Curve;

/// Writes `growth.md` and `growth.svg`.
///
/// # Errors
/// What the system said.
pub(crate) fn write(
    folder: &Path,
    drawn: &[(&Curve, Vec<f64>)],
    rounds: usize,
    seconds: f64,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut text = format!(
        "# Costs that could grow\n\nMade by `cargo run --release -p bench --bin growth`: processor time of the server for one \
         request, medians of {rounds} interleaved rounds of {seconds} s, server on one processor. The ratio is to \
         the first point; within a fifth of it is no finding.\n\n![Processor time against what grows](growth.svg)\n"
    );
    for (curve, medians) in drawn {
        let _ = write!(text, "\n## {}\n\n| {} | CPU, µs | ratio |\n|---|---|---|\n", curve.title, curve.unit);
        for (point, median) in curve.points.iter().zip(medians) {
            let _ = writeln!(text, "| {point} | {median:.2} | **{:.2}** |", median / medians[0]);
        }
    }
    fs::write(folder.join("growth.md"), text)?;
    fs::write(folder.join("growth.svg"), picture(drawn))
}

const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 110.0;

/// A small picture of each, on a logarithmic scale both ways: from an eighth of the first to eight times.
fn picture(drawn: &[(&Curve, Vec<f64>)]) -> String {
    let mut body = String::new();
    for (number, (curve, medians)) in drawn.iter().enumerate() {
        let (left, top) =
            (20.0 + (number % 3) as f64 * (WIDTH + 30.0), 40.0 + (number / 3) as f64 * (HEIGHT + 50.0));
        let last = curve.points.last().map_or(1.0, |point| (*point as f64).ln()).max(1.0);
        let x = |point: usize| left + WIDTH * (point as f64).ln() / last;
        let y = |ratio: f64| top + HEIGHT * (0.5 - ratio.clamp(0.125, 8.0).log2() / 6.0);
        let _ = writeln!(body, "<text x=\"{left:.0}\" y=\"{:.0}\">{}</text>", top - 8.0, curve.title);
        for ratio in [0.25, 0.5, 1.0, 2.0, 4.0] {
            let shade = if ratio == 1.0 { "#888888" } else { "#dddddd" };
            let y = y(ratio);
            let _ = writeln!(
                body,
                "<line x1=\"{left:.0}\" y1=\"{y:.1}\" x2=\"{:.0}\" y2=\"{y:.1}\" stroke=\"{shade}\"/>\
                 <text x=\"{:.0}\" y=\"{:.1}\" fill=\"#666666\">{ratio}</text>",
                left + WIDTH,
                left + WIDTH + 3.0,
                y + 3.0
            );
        }
        let points =
            curve.points.iter().zip(medians).map(|(point, median)| (x(*point), y(median / medians[0])));
        let points: Vec<String> = points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            body,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"#1b6ca8\" stroke-width=\"2\"/>\
             <text x=\"{left:.0}\" y=\"{:.0}\" fill=\"#666666\">1 to {} {}</text>",
            points.join(" "),
            top + HEIGHT + 14.0,
            curve.points.last().copied().unwrap_or(1),
            curve.unit
        );
    }
    let rows = drawn.len().div_ceil(3) as f64;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{:.0}\" height=\"{:.0}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"20\" y=\"14\">Processor time of a request as a ratio to the first point</text>\n{body}</svg>\n",
        20.0 + 3.0 * (WIDTH + 30.0),
        50.0 + rows * (HEIGHT + 50.0)
    )
}
