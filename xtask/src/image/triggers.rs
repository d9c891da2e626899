//! What packages have run over the files of all packages (distro/config/triggers.toml says what): done when an image is built, by the image's own
//! programs with Debian's C library on this host.

use super::config::{Config, relative};
use super::debian::Member;
use super::items::{self, CLibrary, Item};
use super::tree;
use crate::build::stamp::Stamp;
use crate::native::Native;
use crate::process;
use crate::progress::Step;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// The file of triggers.
const FILE: &str = "distro/config/triggers.toml";
/// How long one may take.
const LIMIT: Duration = Duration::from_secs(300);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    trigger: Vec<Trigger>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trigger {
    /// Why it is needed.
    reason: String,
    below: String,
    each: Option<String>,
    run: Vec<String>,
    makes: Vec<String>,
}

/// A command and what it makes.
#[derive(Debug, PartialEq, Eq)]
struct Job {
    run: Vec<String>,
    makes: Vec<String>,
}

/// Adds what comes of the triggers that count for this image.
pub fn add(workspace: &Workspace, config: &Config, all: &mut BTreeMap<String, Item>) -> Result<()> {
    let text = std::fs::read_to_string(workspace.root().join(FILE)).with_context(|| format!("cannot read {FILE}"))?;
    let file: File = toml::from_str(&text).with_context(|| format!("in {FILE}"))?;
    let mut jobs = Vec::new();
    for trigger in &file.trigger {
        jobs.extend(due(trigger, config, all)?);
    }
    if jobs.is_empty() {
        return Ok(());
    }
    let native = items::assemble(workspace, config, CLibrary::Glibc, &mut BTreeMap::new())?;
    let name = config.sources.last().and_then(|file| file.file_stem()?.to_str()).unwrap_or("image");
    let root = workspace.target_dir("root")?.join(format!("{name}-triggers"));
    let mut stamp = Stamp::new(&root);
    stamp.text(&text);
    items::stamp(&mut stamp, config, &native)?;
    if !stamp.is_fresh() {
        let _step = Step::start("running the triggers of packages");
        tree::write_anew(&root, &native)?;
        for job in &jobs {
            let mut command = Native::at(&root).writing(LIMIT, &job.run)?;
            process::output(&mut command).with_context(|| format!("the trigger {}", job.run.join(" ")))?;
        }
        stamp.save()?;
    }
    for made in jobs.iter().flat_map(|job| &job.makes) {
        collect(&root, made, all).with_context(|| format!("what a trigger makes, /{made}"))?;
    }
    Ok(())
}

/// The jobs of a trigger for this image; none if its program or its subject is not there.
fn due(trigger: &Trigger, config: &Config, all: &BTreeMap<String, Item>) -> Result<Vec<Job>> {
    let program = trigger
        .run
        .first()
        .with_context(|| format!("the trigger that is there because {} runs nothing", trigger.reason))?;
    let below = config.place(&relative(&trigger.below)?);
    let folder = format!("{below}/");
    let mut subjects: Vec<&str> = Vec::new();
    for (path, item) in all.range(folder.clone()..).take_while(|(path, _)| path.starts_with(&folder)) {
        let is_folder = matches!(item, Item::Debian(Member::Directory(_)));
        let subject = match &trigger.each {
            None if is_folder => None,
            None => Some(below.as_str()),
            Some(name) => path.strip_suffix(name.as_str()).and_then(|rest| rest.strip_suffix('/')),
        };
        let direct = |subject: &str| trigger.each.is_none() || !subject[folder.len()..].contains('/');
        subjects.extend(subject.filter(|subject| direct(subject)));
    }
    subjects.dedup();
    if !all.contains_key(&config.place(&relative(program)?)) {
        return Ok(vec![]);
    }
    let job = |subject: &str| -> Result<Job> {
        let filled = |text: &String| text.replace("{}", &format!("/{subject}"));
        let makes = trigger.makes.iter().map(|path| relative(&filled(path))).collect::<Result<_>>()?;
        Ok(Job { run: trigger.run.iter().map(filled).collect(), makes })
    };
    subjects.into_iter().map(job).collect()
}

/// Adds the file or all new files of the folder `path`.
fn collect(root: &Path, path: &str, all: &mut BTreeMap<String, Item>) -> Result<()> {
    let file = root.join(path);
    let meta = std::fs::symlink_metadata(&file).context("it is not there")?;
    if meta.is_dir() {
        for entry in std::fs::read_dir(&file)? {
            let name = entry?.file_name().into_string().ok().context("a name that is not UTF-8")?;
            let inner = format!("{path}/{name}");
            if root.join(&inner).is_dir() || !all.contains_key(&inner) {
                collect(root, &inner, all)?;
            }
        }
    } else if meta.is_file() {
        all.insert(path.to_owned(), Item::Built((meta.permissions().mode() & 0o7777).into(), file));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> BTreeMap<String, Item> {
        let paths =
            ["usr/bin/run", "usr/share/icons/a/index.theme", "usr/share/icons/a/b/index.theme", "usr/share/icons/c/x"];
        paths.iter().map(|path| ((*path).to_owned(), Item::Built(0o755.into(), path.into()))).collect()
    }

    fn trigger(program: &str, each: Option<&str>) -> Trigger {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
        Trigger {
            reason: String::new(),
            below: "/usr/share/icons".into(),
            each: each.map(str::to_owned),
            run: words(&[program, "{}"]),
            makes: words(&["{}/cache"]),
        }
    }

    #[test]
    fn a_trigger_counts_if_program_and_subject_are_there() {
        let job = |subject: &str| Job {
            run: vec!["/usr/bin/run".into(), format!("/{subject}")],
            makes: vec![format!("{subject}/cache")],
        };
        let config = Config::default();
        let once = due(&trigger("/usr/bin/run", None), &config, &all()).unwrap();
        assert_eq!(once, [job("usr/share/icons")]);
        let each = due(&trigger("/usr/bin/run", Some("index.theme")), &config, &all()).unwrap();
        assert_eq!(each, [job("usr/share/icons/a")]);
        assert_eq!(due(&trigger("/usr/bin/absent", None), &config, &all()).unwrap(), []);
        assert_eq!(due(&trigger("/usr/bin/run", None), &config, &BTreeMap::new()).unwrap(), []);
    }

    #[test]
    fn what_is_new_is_collected() {
        let root = std::env::temp_dir().join(format!("xtask-triggers-{}", std::process::id()));
        std::fs::create_dir_all(root.join("made/deep")).unwrap();
        for file in ["made/old", "made/new", "made/deep/new"] {
            std::fs::write(root.join(file), "").unwrap();
        }
        let mut all = BTreeMap::from([("made/old".to_owned(), Item::Built(0.into(), "elsewhere".into()))]);
        collect(&root, "made", &mut all).unwrap();
        assert_eq!(all.keys().collect::<Vec<_>>(), ["made/deep/new", "made/new", "made/old"]);
        assert!(matches!(&all["made/old"], Item::Built(_, file) if file == Path::new("elsewhere")));
        assert!(collect(&root, "absent", &mut all).is_err());
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn the_triggers_of_this_repository_are_sound() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FILE);
        let file: File = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for trigger in &file.trigger {
            due(trigger, &Config::default(), &BTreeMap::new()).unwrap();
            assert!(trigger.reason.len() > 10);
        }
    }
}
