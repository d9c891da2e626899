//! Translations of messages: `libintl.h` (gettext(3)) and `nl_types.h` (catopen(3)).
//!
//! A text domain's translations stand in `DIRECTORY/LOCALE/CATEGORY/DOMAIN.mo` ([`catalogue`]); [`domains`] knows where the domains are,
//! [`search`] finds and keeps the files, [`api`] answers. Nothing found is ever freed: programs keep the texts.

mod api;
mod catalogue;
mod catalogues;
mod domains;
mod plural;
mod search;

pub use api::*;
pub use catalogues::*;
pub use domains::*;
