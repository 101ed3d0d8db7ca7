//! Writes numbers with this project's own code, for `cargo xtask vectors`: `spell` reads bits in
//! hex, one a line; `published COUNT` writes the published sequence and compares its checksum.
#![expect(clippy::print_stdout, reason = "its output is read by xtask")]

use std::{
    env,
    error::Error,
    io::{BufRead, BufWriter, Write, stdin, stdout},
};

use sha2::{Digest, Sha256};
use waxwing_core::CanonicalJson;
use waxwing_testkit::es6_numbers::{CHECKSUMS, sequence};

/// The largest integer that every implementation holds exactly.
const MAX_INTEGER: f64 = 9_007_199_254_740_991.0;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["spell"] => spell(),
        ["published", count] => published(count.parse()?),
        _ => Err("usage: numbers spell | numbers published COUNT".into()),
    }
}

fn spell() -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::new(stdout().lock());
    for line in stdin().lock().lines() {
        let double = f64::from_bits(u64::from_str_radix(&line?, 16)?);
        match CanonicalJson::from_serialize(&double) {
            Ok(json) => writeln!(out, "{}", json.as_str())?,
            Err(_) => writeln!(out, "refused")?,
        }
    }
    Ok(out.flush()?)
}

fn published(count: usize) -> Result<(), Box<dyn Error>> {
    let checksum = CHECKSUMS.iter().find(|(lines, _)| *lines == count);
    let (_, checksum) = checksum.ok_or("no checksum is published for that many numbers")?;
    let mut hash = Sha256::new();
    for double in sequence().take(count) {
        let spelling = match CanonicalJson::from_serialize(&double) {
            Ok(json) => json.as_str().to_owned(),
            // The sequence holds integers that wire.md section 1 refuses; those the standard
            // library spells.
            Err(_)
                if double.fract() == 0.0 && double.abs() > MAX_INTEGER && double.abs() < 1e21 =>
            {
                format!("{double}")
            }
            Err(error) => return Err(error.into()),
        };
        hash.update(format!("{:x},{spelling}\n", double.to_bits()));
    }
    let sum: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if sum != *checksum {
        return Err(
            format!("{count} numbers have the SHA-256 {sum}, published is {checksum}").into()
        );
    }
    println!("{count} numbers have the published SHA-256 {sum}");
    Ok(())
}
