//! The report of a bench run: tables between two markers of a page, and a picture beside that of
//! the benches.

use std::fmt::Write as _;
use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

use super::{
    medians::{self, Medians},
    ratios::{self, Ratio, Verdict},
};
use crate::process::{capture, program, root};

const BEGIN: &str = "<!-- figures: begin -->";
const END: &str = "<!-- figures: end -->";

/// `added` is the table of added times.
pub(super) fn write(medians: &Medians, ratios: &[Ratio], added: &str) -> Result<()> {
    let mut figures = format!("{added}\n{}\n\n{}", machine()?, medians::table(medians));
    if !ratios.is_empty() {
        let picture = root().join("docs/performance.svg");
        fs::write(&picture, svg(ratios))
            .with_context(|| format!("cannot write {}", picture.display()))?;
        let table = ratios::table(ratios);
        figures = format!(
            "{table}\n![Measured ratios and what is promised](performance.svg)\n\n{figures}"
        );
    }
    self::figures("docs/performance.md", &figures)
}

/// Puts figures between the markers of a page.
pub(super) fn figures(page: &str, figures: &str) -> Result<()> {
    let file = root().join(page);
    let old =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let new = replace(&old, figures).with_context(|| format!("in {page}"))?;
    fs::write(&file, new).with_context(|| format!("cannot write {}", file.display()))
}

/// The page with other text between its markers.
fn replace(page: &str, figures: &str) -> Result<String> {
    let parts =
        page.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, after)) = parts else {
        bail!("the page needs the lines `{BEGIN}` and `{END}`, in that order");
    };
    Ok(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", figures.trim_end()))
}

/// On what the figures were taken: processor, number of cores, compiler.
pub(super) fn machine() -> Result<String> {
    let cpus = fs::read_to_string(Path::new("/proc/cpuinfo")).unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("a processor that does not give its name", |(_, name)| name.trim());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let compiler = capture(program("rustc").arg("--version"))?;
    Ok(format!("Measured on {model}, {cores} cores, {}.", compiler.trim()))
}

/// A Markdown table whose columns line up.
pub(super) fn markdown<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    let mut line = |cells: [&str; N], fill: char| {
        out.push('|');
        for (cell, width) in cells.iter().zip(widths) {
            let pad = width - cell.chars().count();
            let rest: String = std::iter::repeat_n(fill, pad + 1).collect();
            let first = if fill == ' ' { ' ' } else { fill };
            out.extend([first.to_string(), (*cell).to_owned(), rest, "|".to_owned()]);
        }
        out.push('\n');
    };
    line(head, ' ');
    line([""; N], '-');
    for row in rows {
        line(row.each_ref().map(String::as_str), ' ');
    }
    out
}

const ROW: f64 = 34.0;
const LEFT: f64 = 300.0;
const WIDTH: f64 = 420.0;

/// One bar a ratio, on a logarithmic scale, with a tick where the promise ends.
fn svg(ratios: &[Ratio]) -> String {
    let all = ratios.iter().flat_map(|ratio| [Some(ratio.at_most), ratio.measured()]).flatten();
    let (low, high) =
        all.fold((1.0_f64, 1.0_f64), |(low, high), ratio| (low.min(ratio), high.max(ratio)));
    let (low, high) = ((low / 1.5).log2(), (high * 1.5).log2());
    let x = |ratio: f64| LEFT + WIDTH * (ratio.log2() - low) / (high - low);
    let row = |index: usize| ROW * (f64::from(u32::try_from(index).unwrap_or(u32::MAX)) + 1.0);
    let height = row(ratios.len()) + ROW;

    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {height:.0}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"13\">\n\
         <style>text {{ fill: #57606a }} .bar {{ fill: #2f81f7 }} .over {{ fill: #d1242f }} \
         .tick {{ stroke: #57606a; stroke-width: 2 }} .one {{ stroke: #8c959f; stroke-dasharray: 3 3 }}</style>\n",
        LEFT + WIDTH + 170.0
    );
    let one = x(1.0);
    let _ = writeln!(
        out,
        "<line class=\"one\" x1=\"{one:.1}\" y1=\"20\" x2=\"{one:.1}\" y2=\"{:.1}\"/>\n\
         <text x=\"{one:.1}\" y=\"14\" text-anchor=\"middle\">the rival's time</text>",
        height - ROW
    );
    for (index, ratio) in ratios.iter().enumerate() {
        let y = row(index);
        let middle = y + 14.0;
        let name = ratio.name.replace('&', "&amp;").replace('<', "&lt;");
        let _ = writeln!(
            out,
            "<text x=\"{:.0}\" y=\"{middle:.1}\" text-anchor=\"end\">{name}</text>",
            LEFT - 10.0
        );
        if let Some(measured) = ratio.measured() {
            let class = if matches!(ratio.verdict, Verdict::Kept(_)) { "bar" } else { "over" };
            let end = x(measured);
            let _ = writeln!(
                out,
                "<rect class=\"{class}\" x=\"{LEFT:.0}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"20\" rx=\"2\"/>\n\
                 <text x=\"{:.1}\" y=\"{middle:.1}\">{}</text>",
                end - LEFT,
                end.max(x(ratio.at_most)) + 8.0,
                ratios::times(measured)
            );
        }
        let tick = x(ratio.at_most);
        let _ = writeln!(
            out,
            "<line class=\"tick\" x1=\"{tick:.1}\" y1=\"{:.1}\" x2=\"{tick:.1}\" y2=\"{:.1}\"/>",
            y - 3.0,
            y + 23.0
        );
    }
    out.push_str("</svg>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, Ratio, Verdict, machine, markdown, replace, svg};

    #[test]
    fn figures_go_between_the_markers() {
        let page = format!("# A\n{BEGIN}\nold\n{END}\nrest\n");
        let new = replace(&page, "new\n").unwrap();
        assert_eq!(new, format!("# A\n{BEGIN}\n\nnew\n\n{END}\nrest\n"));
        assert_eq!(replace(&new, "new\n").unwrap(), new);
        for page in ["# A\n".to_owned(), format!("{END}\n{BEGIN}\n"), format!("{BEGIN}\n")] {
            assert!(
                replace(&page, "").unwrap_err().to_string().contains("needs the lines"),
                "{page}"
            );
        }
    }

    #[test]
    fn tables_line_up() {
        let table = markdown(["a", "long"], &[["é".into(), "1".into()], ["22".into(), "3".into()]]);
        assert_eq!(table, "| a  | long |\n|----|------|\n| é  | 1    |\n| 22 | 3    |\n");
    }

    #[test]
    fn the_machine_is_named() {
        assert!(machine().unwrap().contains("rustc 1."));
    }

    #[test]
    fn the_picture_has_a_bar_for_each_ratio() {
        let ratio = |verdict| Ratio { name: "a < b & c", at_most: 2.0, verdict };
        let ratios = [Verdict::Kept(1.5), Verdict::Missed(2.5), Verdict::NotMeasured].map(ratio);
        let picture = svg(&ratios);
        assert_eq!(picture.matches("<rect").count(), 2);
        assert_eq!(picture.matches("class=\"over\"").count(), 1);
        assert_eq!(picture.matches("class=\"tick\"").count(), 3);
        assert!(picture.contains("a &lt; b &amp; c") && picture.ends_with("</svg>\n"));
    }
}
