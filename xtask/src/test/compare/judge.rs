//! Whether two runs of a command were the same, and how they differ.

use super::frames::Ran;
use anyhow::{Result, bail};

/// How many differing lines are shown of each side.
const LINES: usize = 6;
/// How much of a long line is shown.
const COLUMNS: usize = 160;

/// Fails unless output and exit status are the same. An expectation must have ended well by itself: with status 0 and some output.
pub fn compare(expected: &Result<Ran>, got: &Result<Ran>) -> Result<()> {
    let expected = match expected {
        Ok(expected) => expected,
        Err(error) => bail!("on glibc: {error:#}"),
    };
    let got = match got {
        Ok(got) => got,
        Err(error) => bail!("{error:#}"),
    };
    if expected.status != 0 || expected.out.is_empty() {
        bail!(
            "on glibc it ended with status {} and {} bytes of output\n{}",
            expected.status,
            expected.out.len(),
            tail(&expected.err)
        );
    }
    let mut wrong = String::new();
    if got.status != expected.status {
        wrong += &format!("it ended with status {}, on glibc with {}\n", got.status, expected.status);
    }
    if got.out != expected.out {
        wrong += &difference(&expected.out, &got.out);
    }
    if wrong.is_empty() {
        return Ok(());
    }
    if !got.err.is_empty() {
        wrong += &format!("its error output ends so:\n{}", tail(&got.err));
    }
    bail!("{}", wrong.trim_end())
}

/// The first lines in which two texts differ.
fn difference(expected: &[u8], got: &[u8]) -> String {
    let (expected, got) = (String::from_utf8_lossy(expected), String::from_utf8_lossy(got));
    let same = expected.lines().zip(got.lines()).take_while(|(a, b)| a == b).count();
    let part = |text: &str, sign: char| -> String {
        let lines: Vec<&str> = text.lines().skip(same).take(LINES).collect();
        if lines.is_empty() {
            return format!("{sign} (no more lines)\n");
        }
        lines.iter().map(|line| format!("{sign} {}\n", line.chars().take(COLUMNS).collect::<String>())).collect()
    };
    format!(
        "from line {} the output differs (- glibc's, + this one's):\n{}{}",
        same + 1,
        part(&expected, '-'),
        part(&got, '+')
    )
}

fn tail(text: &[u8]) -> String {
    crate::vm::console::tail(&String::from_utf8_lossy(text), 2 * LINES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(out: &str, status: i32) -> Result<Ran> {
        Ok(Ran { out: out.into(), err: b"why".to_vec(), status })
    }

    #[test]
    fn shows_the_first_difference() {
        assert!(compare(&ran("a\n", 0), &ran("a\n", 0)).is_ok());
        let text = compare(&ran("a\nb\nc\n", 0), &ran("a\nx\n", 1)).unwrap_err().to_string();
        assert!(text.contains("status 1") && text.contains("from line 2"), "{text}");
        assert!(text.contains("- b\n- c\n+ x\n") && text.contains("why"), "{text}");
    }

    #[test]
    fn an_expectation_that_fails_or_says_nothing_is_none() {
        assert!(compare(&ran("a", 1), &ran("a", 1)).is_err());
        assert!(compare(&ran("", 0), &ran("", 0)).is_err());
        assert!(compare(&Err(anyhow::anyhow!("x")), &ran("a", 0)).is_err());
        assert!(compare(&ran("a", 0), &Err(anyhow::anyhow!("x"))).is_err());
    }
}
