//! Tests of configs.

use super::*;

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str, files: &[(&str, &str)]) -> Dir {
        let dir = std::env::temp_dir().join(format!("xtask-config-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        for (name, text) in files {
            std::fs::write(dir.join(name), text).unwrap();
        }
        Dir(dir)
    }

    fn error(&self) -> String {
        format!("{:#}", Config::load(&self.0, "main").unwrap_err())
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn including_file_wins() {
    let base = "[packages]\ninit = '/sbin/init'\n[[files]]\npath = '/etc/x'\ndata = 'base'\n";
    let main = "include = ['base']\n[packages]\ntool = { a = '/bin/a', b = '/bin/b' }\n\
                [[files]]\npath = '/etc/x'\ndata = 'main'\nmode = 0o600\n[[links]]\npath = '/x'\ntarget = 'etc/x'\n";
    let dir = Dir::new("include", &[("base.toml", base), ("main.toml", main)]);
    let config = Config::load(&dir.0, "main").unwrap();
    assert_eq!(config.packages.len(), 2);
    assert_eq!(config.packages["init"], Install::One("/sbin/init".into()));
    assert_eq!(config.nodes["etc/x"], Node::File(0o600.into(), Content::Data("main".into())));
    assert_eq!(config.nodes["x"], Node::Link("etc/x".into()));
}

#[test]
fn paths_go_where_links_lead() {
    let main = "[debian]\npackages = ['less']\nexclude = ['/usr/share/doc']\n[[links]]\npath = '/bin'\ntarget = 'usr/bin'\n\
                [[links]]\npath = '/a/b'\ntarget = 'c'\n[[links]]\npath = '/a/c/d'\ntarget = '/e'\n\
                [[links]]\npath = '/round'\ntarget = 'round'\n";
    let dir = Dir::new("place", &[("main.toml", main)]);
    let config = Config::load(&dir.0, "main").unwrap();
    assert_eq!((config.debian, config.exclude), (vec!["less".to_owned()], vec!["usr/share/doc".to_owned()]));
    let config = Config::load(&dir.0, "main").unwrap();
    let places = ["bin/sh", "bin", "binary/x", "a/b/x", "a/b/d/x", "round/x"].map(|path| config.place(path));
    assert_eq!(places, ["usr/bin/sh", "bin", "binary/x", "a/c/x", "e/x", "round/x"]);
}

#[test]
fn unknown_key_is_an_error_that_names_file_and_key() {
    let dir = Dir::new("unknown", &[("main.toml", "[[files]]\npath = '/a'\ndata = ''\nowner = 'me'\n")]);
    let error = dir.error();
    assert!(error.contains("main.toml") && error.contains("`owner`"), "{error}");
}

#[test]
fn bad_contents_are_errors() {
    for text in [
        "[[files]]\npath = '/a'\n",
        "[[files]]\npath = '/a'\ndata = ''\nsource = 'b'\n",
        "[[dirs]]\npath = 'a'\n",
        "[[dirs]]\npath = '/a/../b'\n",
        "[packages]\ninit = 1\n",
        "include = ['main']\n",
        "include = ['absent']\n",
    ] {
        let dir = Dir::new("bad", &[("main.toml", text)]);
        assert!(dir.error().contains(".toml"), "{text}");
    }
}
