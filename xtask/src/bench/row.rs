//! The lines that /bin/bench prints: `row NAME VALUE UNIT`, then `key=value` words for what else was counted.

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What was measured; words joined by underscores.
    pub name: String,
    /// The figure.
    pub value: f64,
    /// What it counts, for example `instructions` or `MB/s`.
    pub unit: String,
    /// What else was counted per operation, in the order of printing.
    pub extra: Vec<(String, String)>,
}

/// Splits the output into rows and the lines that are none.
pub fn parse(output: &str) -> (Vec<Row>, Vec<&str>) {
    let mut rows = Vec::new();
    let mut rest = Vec::new();
    for line in output.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        match row(line) {
            Some(row) => rows.push(row),
            None => rest.push(line),
        }
    }
    (rows, rest)
}

fn row(line: &str) -> Option<Row> {
    let mut words = line.strip_prefix("row ")?.split_whitespace();
    let (name, value, unit) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
    let extra = words.map(|word| word.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())));
    Some(Row { name: name.to_owned(), value, unit: unit.to_owned(), extra: extra.collect::<Option<_>>()? })
}

impl Row {
    /// Whether a greater figure is the better one: so it is for bandwidths.
    pub fn more_is_better(&self) -> bool {
        self.unit.ends_with("/s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rows_and_keeps_the_rest() {
        let (rows, rest) = parse("row call_8 2900.5 ns switches=2 copied=16\r\nskip x no\nrow pipe 300 MB/s\n\n");
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].extra, [("switches".into(), "2".into()), ("copied".into(), "16".into())]);
        assert!(!rows[0].more_is_better() && rows[1].more_is_better());
        assert_eq!(rest, ["skip x no"]);
    }
}
