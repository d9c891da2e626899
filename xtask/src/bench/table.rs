//! The table of measurements.

use super::row::Row;

/// Ochre's rows with Linux's figure and the ratio beside each, then Linux's rows that Ochre does not have.
pub fn table(ours: &[Row], theirs: &[Row]) -> String {
    let mut keys: Vec<&str> = Vec::new();
    for (key, _) in ours.iter().flat_map(|row| &row.extra) {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    let mut lines = vec![["", "Ochre", "Linux", "ratio", ""].map(str::to_owned).to_vec()];
    lines[0].extend(keys.iter().map(|key| (*key).to_owned()));
    for row in ours {
        let other = theirs.iter().find(|other| other.name == row.name);
        let mut line = vec![
            row.name.clone(),
            figure(row.value),
            other.map_or_else(|| "-".into(), |other| figure(other.value)),
            other.map_or_else(|| "-".into(), |other| format!("{:.2}", ratio(row, other))),
            unit(row),
        ];
        let value = |key: &str| row.extra.iter().find(|(own, _)| own == key).map_or("-", |(_, value)| value);
        line.extend(keys.iter().map(|key| value(key).to_owned()));
        lines.push(line);
    }
    for row in theirs.iter().filter(|row| !ours.iter().any(|own| own.name == row.name)) {
        lines.push(vec![row.name.clone(), "-".into(), figure(row.value), "-".into(), unit(row)]);
    }
    align(&lines)
}

/// How much Ochre needs of what Linux needs: below 1, Ochre is better, whatever the unit.
fn ratio(ours: &Row, theirs: &Row) -> f64 {
    if ours.more_is_better() { theirs.value / ours.value } else { ours.value / theirs.value }
}

/// The row's unit; time is counted in instructions.
fn unit(row: &Row) -> String {
    if row.unit == "ns" || row.unit == "instructions" { "instr".to_owned() } else { row.unit.clone() }
}

fn figure(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

/// Text columns to the left (the names and the units), figures to the right.
fn align(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |i: usize| lines.iter().filter_map(|line| line.get(i)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for line in lines {
        let mut text = String::new();
        for (i, cell) in line.iter().enumerate() {
            let width = widths[i];
            text += &if i == 0 || i == 4 { format!("{cell:<width$}  ") } else { format!("{cell:>width$}  ") };
        }
        out.push_str(text.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::row;
    use super::*;

    #[test]
    fn puts_rows_side_by_side() {
        let (ours, _) = row::parse("row call 2900 ns switches=2\nrow pipe 600 MB/s\nrow own 5 instructions\n");
        let (theirs, _) = row::parse("row call 5800 ns\nrow pipe 300 MB/s\nrow other 7 ns\n");
        let expected = "      \x20Ochre  Linux  ratio         switches\n\
                        call    2900   5800   0.50  instr         2\n\
                        pipe     600    300   0.50  MB/s          -\n\
                        own      5.0      -      -  instr         -\n\
                        other      -    7.0      -  instr\n";
        assert_eq!(table(&ours, &theirs), expected);
    }
}
