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
    assert!(error.contains("main.toml") && error.contains("line 4") && error.contains("`owner`"), "{error}");
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

#[test]
fn errors_say_what_is_wrong() {
    for (text, why) in [
        ("[[files]]\npath = '/a'\ndata = ''\n[[files]]\npath = '/a'\ndata = ''\n", "two things for the path /a"),
        ("[[dirs]]\npath = '/a'\n[[links]]\npath = '/a'\ntarget = 'b'\n", "two things for the path /a"),
        ("[[files]]\npath = '/a'\ndata = 7\n", "line 3"),
        ("[[dirs]]\npath = '/a'\nmode = 0o17777\n", "more than permission bits"),
        ("[debian]\npackage = ['less']\n", "`package`"),
        ("[root]\nfree = 'much'\n", "not a size"),
        ("[root]\n", "`free`"),
        ("[[users]]\nname = 'a'\nuid = -1\nhome = '/'\n", "line 3"),
        ("include = ['main']\n", "includes itself"),
    ] {
        let error = Dir::new("why", &[("main.toml", text)]).error();
        assert!(error.contains("main.toml") && error.contains(why), "{error}");
    }
}

#[test]
fn a_loop_of_includes_is_told_with_its_way() {
    let files = [("main.toml", "include = ['a']"), ("a.toml", "include = ['b']"), ("b.toml", "include = ['main']")];
    let error = Dir::new("loop", &files).error();
    assert!(error.contains("main, a, b"), "{error}");
}

#[test]
fn sizes() {
    assert_eq!(["7", "1K", "256M", "2G"].map(|text| size(text).unwrap()), [7, 1 << 10, 256 << 20, 2 << 30]);
    assert!(["", "M", "-1", "1T", "99999999999G", "é"].iter().all(|text| size(text).is_err()));
}
