//! The order in which scripts run: by name, but what a script requires comes first.

use crate::script::Step;
use std::collections::{BTreeMap, BTreeSet};

/// Whether a file of /etc/init.d is one of ours: two digits, an underscore, a name. Debian's packages bring scripts for its own init.
pub fn is_script(name: &str) -> bool {
    matches!(name.as_bytes(), [b'0'..=b'9', b'0'..=b'9', b'_', _, ..])
}

/// The names of `scripts` in the order of running. A requirement that does not exist, or that leads in a circle, is passed over.
pub fn order(scripts: &BTreeMap<String, Vec<Step>>) -> Vec<String> {
    let mut done = Vec::new();
    let mut seen = BTreeSet::new();
    for name in scripts.keys() {
        visit(name, scripts, &mut seen, &mut done);
    }
    done
}

fn visit(name: &str, scripts: &BTreeMap<String, Vec<Step>>, seen: &mut BTreeSet<String>, done: &mut Vec<String>) {
    let Some(steps) = scripts.get(name) else { return };
    if !seen.insert(name.to_owned()) {
        return;
    }
    for step in steps {
        if let Step::RequiresWeak(names) = step {
            names.iter().for_each(|n| visit(n, scripts, seen, done));
        }
    }
    done.push(name.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_have_numbers() {
        assert!(is_script("00_base") && is_script("90_console"));
        assert!(!["hwclock.sh", "procps", "README", "00_", "0_base", ""].into_iter().any(is_script));
    }

    #[test]
    fn requirements_first_circles_survive() {
        let needs = |names: &[&str]| vec![Step::RequiresWeak(names.iter().map(|n| (*n).to_owned()).collect())];
        let scripts = BTreeMap::from([
            ("00".to_owned(), needs(&["20", "missing"])),
            ("10".to_owned(), needs(&["30"])),
            ("20".to_owned(), needs(&[])),
            ("30".to_owned(), needs(&["10"])),
        ]);
        assert_eq!(order(&scripts), ["20", "00", "30", "10"]);
    }
}
