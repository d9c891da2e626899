//! Users and groups of an image: /etc/passwd, /etc/group, /etc/shadow, /etc/gshadow and the home folders.

use super::config::{Config, Content, Group, Node, User};
use super::cpio::Meta;
use super::items::Item;
use anyhow::{Result, anyhow, bail};
use sha_crypt::{PasswordHasher, ShaCrypt};
use sha2::{Digest, Sha512};
use std::collections::{BTreeMap, BTreeSet};

/// The group that may read the hashes of passwords.
const SHADOW: &str = "shadow";
/// What a new home gets (useradd(8)).
const SKELETON: &str = "etc/skel/";

/// Adds the accounts of the config to the image. `packages` are the Debian packages that the image has, or that Ochre stands in for.
pub fn add(config: &Config, packages: &BTreeSet<&str>, items: &mut BTreeMap<String, Item>) -> Result<()> {
    let there = |package: &Option<String>| package.as_deref().is_none_or(|package| packages.contains(package));
    let users: Vec<&User> = config.users.values().filter(|user| there(&user.package)).collect();
    let groups: Vec<&Group> = config.groups.values().filter(|group| there(&group.package)).collect();
    if users.is_empty() && groups.is_empty() {
        return Ok(());
    }
    let accounts = Accounts::new(users, groups)?;
    let shadow = accounts.groups.get(SHADOW).map_or(0, |(gid, _)| *gid);
    for (name, text, mode, gid) in [
        ("passwd", accounts.passwd(), 0o644, 0),
        ("group", accounts.group(), 0o644, 0),
        ("shadow", accounts.shadow()?, 0o640, shadow),
        ("gshadow", accounts.gshadow(), 0o640, shadow),
    ] {
        let meta = Meta { gid, ..mode.into() };
        items.insert(format!("etc/{name}"), Item::Node(Node::File(meta, Content::Data(text))));
    }
    for user in &accounts.users {
        if let Some(home) = user.home.strip_prefix('/').filter(|home| home.starts_with("home/")) {
            add_home(home, user, items);
        }
    }
    Ok(())
}

/// Makes a home folder with what is in /etc/skel.
fn add_home(home: &str, user: &User, items: &mut BTreeMap<String, Item>) {
    let own = |mode| Meta { uid: user.uid, gid: user.gid(), ..Meta::from(mode) };
    let skeleton: Vec<(String, Item)> = items
        .range(SKELETON.to_owned()..)
        .take_while(|(path, _)| path.starts_with(SKELETON))
        .map(|(path, item)| {
            let path = format!("{home}/{}", &path[SKELETON.len()..]);
            let copy = item.copied(&path, own(item.meta().map_or(0o777, |meta| meta.mode)));
            (path, copy)
        })
        .collect();
    items.insert(home.to_owned(), Item::Node(Node::Directory(own(0o700))));
    items.extend(skeleton);
}

/// Users and groups that fit together.
struct Accounts<'a> {
    /// By number.
    users: Vec<&'a User>,
    /// Number and members by name.
    groups: BTreeMap<&'a str, (u32, Vec<&'a str>)>,
}

impl<'a> Accounts<'a> {
    fn new(mut users: Vec<&'a User>, groups: Vec<&'a Group>) -> Result<Accounts<'a>> {
        users.sort_by_key(|user| user.uid);
        for pair in users.windows(2) {
            if pair[0].uid == pair[1].uid {
                bail!("the users `{}` and `{}` have the same number {}", pair[0].name, pair[1].name, pair[0].uid);
            }
        }
        let mut by_name: BTreeMap<&str, (u32, Vec<&str>)> = BTreeMap::new();
        let mut gids: BTreeMap<u32, &str> = BTreeMap::new();
        for group in groups {
            if let Some(other) = gids.insert(group.gid, &group.name) {
                bail!("the groups `{other}` and `{}` have the same number {}", group.name, group.gid);
            }
            by_name.insert(&group.name, (group.gid, vec![]));
        }
        for user in &users {
            if !gids.contains_key(&user.gid()) {
                if by_name.insert(&user.name, (user.gid(), vec![])).is_some() {
                    bail!("the group `{}` has another number than the user's group, {}", user.name, user.gid());
                }
                gids.insert(user.gid(), &user.name);
            }
        }
        for user in &users {
            for group in &user.groups {
                match by_name.get_mut(group.as_str()) {
                    Some((_, members)) => members.push(&user.name),
                    None => bail!("there is no group `{group}` for the user `{}`", user.name),
                }
            }
        }
        Ok(Accounts { users, groups: by_name })
    }

    fn passwd(&self) -> String {
        let line = |user: &&User| {
            let User { name, uid, gecos, home, shell, .. } = user;
            format!("{name}:x:{uid}:{}:{gecos}:{home}:{shell}\n", user.gid())
        };
        self.users.iter().map(line).collect()
    }

    /// Groups by number.
    fn groups(&self) -> Vec<(&str, u32, String)> {
        let mut groups: Vec<_> =
            self.groups.iter().map(|(name, (gid, members))| (*name, *gid, members.join(","))).collect();
        groups.sort_by_key(|(_, gid, _)| *gid);
        groups
    }

    fn group(&self) -> String {
        self.groups().iter().map(|(name, gid, members)| format!("{name}:x:{gid}:{members}\n")).collect()
    }

    fn gshadow(&self) -> String {
        self.groups().iter().map(|(name, _, members)| format!("{name}:*::{members}\n")).collect()
    }

    fn shadow(&self) -> Result<String> {
        self.users.iter().map(|user| Ok(format!("{}:{}:19000:0:99999:7:::\n", user.name, hash(user)?))).collect()
    }
}

impl User {
    fn gid(&self) -> u32 {
        self.gid.unwrap_or(self.uid)
    }
}

/// What stands in /etc/shadow. The salt comes from the name and the password, so that the same config makes the same image: it keeps two
/// users' hashes apart, and a config with a password in it hides nothing anyway.
fn hash(user: &User) -> Result<String> {
    let Some(password) = &user.password else {
        return Ok(user.password_hash.clone().unwrap_or_else(|| "*".to_owned()));
    };
    let seed = Sha512::new().chain_update(&user.name).chain_update([0]).chain_update(password).finalize();
    let hash = ShaCrypt::SHA512.hash_password_with_salt(password.as_bytes(), &seed[..12]);
    let hash = hash.map_err(|error| anyhow!("the password of user `{}` cannot be hashed: {error}", user.name))?;
    Ok(hash.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn config(text: &str) -> Result<Config> {
        let dir = std::env::temp_dir().join(format!("xtask-accounts-{}-{}", std::process::id(), text.len()));
        std::fs::create_dir_all(&dir)?;
        std::fs::write(dir.join("main.toml"), text)?;
        let config = Config::load(&dir, "main");
        std::fs::remove_dir_all(&dir)?;
        config
    }

    fn built(text: &str) -> Result<BTreeMap<String, Item>> {
        let mut items = BTreeMap::from([(
            "etc/skel/.profile".to_owned(),
            Item::Node(Node::File(0o644.into(), Content::Data("x".into()))),
        )]);
        add(&config(text)?, &BTreeSet::from(["dbus"]), &mut items)?;
        Ok(items)
    }

    fn text<'a>(items: &'a BTreeMap<String, Item>, path: &str) -> &'a str {
        match &items[path] {
            Item::Node(Node::File(_, Content::Data(text))) => text,
            _ => panic!("{path} is no text"),
        }
    }

    const MAIN: &str = "
        [[groups]]
        name = 'audio'
        gid = 29
        [[users]]
        name = 'ann'
        uid = 1000
        home = '/home/ann'
        shell = '/bin/bash'
        gecos = 'Ann'
        groups = ['audio']
        password = 'secret'
        [[users]]
        name = 'root'
        uid = 0
        home = '/root'
        [[users]]
        name = 'messagebus'
        uid = 101
        home = '/nonexistent'
        package = 'dbus'
        reason = 'runs the message bus'
        [[users]]
        name = 'sshd'
        uid = 102
        home = '/run/sshd'
        package = 'openssh-server'
        reason = 'handles connections before log-in'
        ";

    #[test]
    fn writes_the_four_files() {
        let items = built(MAIN).unwrap();
        let passwd = "root:x:0:0::/root:/usr/sbin/nologin\nmessagebus:x:101:101::/nonexistent:/usr/sbin/nologin\n\
                      ann:x:1000:1000:Ann:/home/ann:/bin/bash\n";
        assert_eq!(text(&items, "etc/passwd"), passwd);
        assert_eq!(text(&items, "etc/group"), "root:x:0:\naudio:x:29:ann\nmessagebus:x:101:\nann:x:1000:\n");
        assert!(text(&items, "etc/shadow").starts_with("root:*:19000:0:99999:7:::\nmessagebus:*:"));
        assert!(text(&items, "etc/gshadow").contains("audio:*::ann\n"));
        let Item::Node(Node::File(meta, _)) = &items["home/ann/.profile"] else { panic!("not a file") };
        assert_eq!((meta.uid, meta.gid, meta.mode), (1000, 1000, 0o644));
        assert!(
            matches!(&items["home/ann"], Item::Node(Node::Directory(meta)) if meta.mode == 0o700 && meta.uid == 1000)
        );
    }

    /// The C library's own crypt(3) accepts our hash.
    #[test]
    fn hashes_as_crypt_does() {
        let items = built(MAIN).unwrap();
        let shadow = text(&items, "etc/shadow");
        let hash = shadow.lines().last().unwrap().split(':').nth(1).unwrap().to_owned();
        let [_, "6", "rounds=5000", salt, _] = hash.split('$').collect::<Vec<_>>()[..] else { panic!("{hash}") };
        assert_eq!(built(MAIN).map(|again| text(&again, "etc/shadow").to_owned()).unwrap(), shadow);
        let script = format!("print crypt('secret', '$6$rounds=5000${salt}$')");
        let printed = Command::new("perl").args(["-e", &script]).output().unwrap();
        assert_eq!(String::from_utf8(printed.stdout).unwrap(), hash);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        for (text, why) in [
            ("[[users]]\nname = 'a'\nuid = 1\nhome = '/'\ngroups = ['x']\n", "no group `x`"),
            ("[[users]]\nname = 'a'\nuid = 1\nhome = '/'\n[[users]]\nname = 'b'\nuid = 1\nhome = '/'\n", "same number"),
            ("[[groups]]\nname = 'a'\ngid = 1\n[[groups]]\nname = 'b'\ngid = 1\n", "same number"),
            ("[[groups]]\nname = 'a'\ngid = 2\n[[users]]\nname = 'a'\nuid = 1\nhome = '/'\n", "another number"),
            ("[[users]]\nname = 'A b'\nuid = 1\nhome = '/'\n", "not a name"),
            ("[[users]]\nname = 'a'\nuid = 1\nhome = '/'\npassword = \"a\\nb\"\n", "cannot be hashed"),
            ("[[users]]\nname = 'a'\nuid = 1\nhome = '/'\npassword-hash = 'secret'\n", "crypt(5)"),
            ("[[users]]\nname = 'a'\nuid = 1\nhome = '/'\npassword = 'a'\npassword-hash = '$6$a$b'\n", "both"),
            ("[[users]]\nname = 'a'\nuid = 1\nhome = '/x:y'\n", "colon"),
            ("[[users]]\nname = 'a'\nuid = 1\nhome = '/'\npackage = 'dbus'\n", "no reason"),
        ] {
            let error = format!("{:#}", built(text).err().expect(text));
            assert!(error.contains(why), "{error}");
        }
    }
}
