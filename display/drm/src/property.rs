//! Properties: names, kinds and limits, as Linux's atomic drivers have them (drm_mode_config.c, drm_connector.c, drm_plane.c, drm_crtc.c).

use crate::pipeline::Id;
use crate::uapi::{object, prop};

/// A property. Its number is its place here, from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Property {
    Active,
    ModeId,
    VrrEnabled,
    Edid,
    Dpms,
    LinkStatus,
    NonDesktop,
    ConnectorCrtc,
    Type,
    Fb,
    PlaneCrtc,
    CrtcX,
    CrtcY,
    CrtcW,
    CrtcH,
    SrcX,
    SrcY,
    SrcW,
    SrcH,
    InFormats,
    DamageClips,
}

/// Values that a property can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From the first to the second.
    Range(u64, u64),
    /// The same with a sign.
    Signed(i64, i64),
    /// One of these.
    Enum(&'static [(u64, &'static str)]),
    /// A blob's number, or 0.
    Blob,
    /// The number of an object of a kind (DRM_MODE_OBJECT_), or 0.
    Object(u32),
}

/// Who may see and set a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Everybody.
    Common,
    /// Everybody, but nobody sets it.
    Fixed,
    /// Only clients that know of atomic commits.
    Atomic,
}

const COUNT: u32 = 21;
const ALL: [Property; COUNT as usize] = {
    use Property::*;
    [
        Active,
        ModeId,
        VrrEnabled,
        Edid,
        Dpms,
        LinkStatus,
        NonDesktop,
        ConnectorCrtc,
        Type,
        Fb,
        PlaneCrtc,
        CrtcX,
        CrtcY,
        CrtcW,
        CrtcH,
        SrcX,
        SrcY,
        SrcW,
        SrcH,
        InFormats,
        DamageClips,
    ]
};
const INT_MAX: u64 = i32::MAX as u64;
const UINT_MAX: u64 = u32::MAX as u64;

/// The first number that is no property's.
pub const END: Id = COUNT + 1;

/// Properties of CRTCs, in their order.
pub const OF_CRTC: &[Property] = &[Property::Active, Property::ModeId, Property::VrrEnabled];
/// Properties of connectors.
pub const OF_CONNECTOR: &[Property] =
    &[Property::Edid, Property::Dpms, Property::LinkStatus, Property::NonDesktop, Property::ConnectorCrtc];
/// Properties of planes.
pub const OF_PLANE: &[Property] = &[
    Property::Type,
    Property::Fb,
    Property::PlaneCrtc,
    Property::CrtcX,
    Property::CrtcY,
    Property::CrtcW,
    Property::CrtcH,
    Property::SrcX,
    Property::SrcY,
    Property::SrcW,
    Property::SrcH,
    Property::InFormats,
    Property::DamageClips,
];

impl Property {
    /// By its number.
    pub fn find(id: Id) -> Option<Property> {
        ALL.get(id.checked_sub(1)? as usize).copied()
    }

    /// Its number.
    pub fn id(self) -> Id {
        self as Id + 1
    }

    /// Name, use and values.
    pub fn definition(self) -> (&'static str, Use, Kind) {
        use Kind::{Blob, Enum, Object, Range, Signed};
        use Use::{Atomic, Common, Fixed};
        let signed = Signed(i32::MIN.into(), i32::MAX.into());
        match self {
            Property::Active => ("ACTIVE", Atomic, Range(0, 1)),
            Property::ModeId => ("MODE_ID", Atomic, Blob),
            Property::VrrEnabled => ("VRR_ENABLED", Common, Range(0, 1)),
            Property::Edid => ("EDID", Fixed, Blob),
            Property::Dpms => ("DPMS", Common, Enum(&[(0, "On"), (1, "Standby"), (2, "Suspend"), (3, "Off")])),
            Property::LinkStatus => ("link-status", Common, Enum(&[(0, "Good"), (1, "Bad")])),
            Property::NonDesktop => ("non-desktop", Fixed, Range(0, 1)),
            Property::ConnectorCrtc | Property::PlaneCrtc => ("CRTC_ID", Atomic, Object(object::CRTC)),
            Property::Type => ("type", Fixed, Enum(&[(0, "Overlay"), (1, "Primary"), (2, "Cursor")])),
            Property::Fb => ("FB_ID", Atomic, Object(object::FB)),
            Property::CrtcX => ("CRTC_X", Atomic, signed),
            Property::CrtcY => ("CRTC_Y", Atomic, signed),
            Property::CrtcW => ("CRTC_W", Atomic, Range(0, INT_MAX)),
            Property::CrtcH => ("CRTC_H", Atomic, Range(0, INT_MAX)),
            Property::SrcX => ("SRC_X", Atomic, Range(0, UINT_MAX)),
            Property::SrcY => ("SRC_Y", Atomic, Range(0, UINT_MAX)),
            Property::SrcW => ("SRC_W", Atomic, Range(0, UINT_MAX)),
            Property::SrcH => ("SRC_H", Atomic, Range(0, UINT_MAX)),
            Property::InFormats => ("IN_FORMATS", Fixed, Blob),
            Property::DamageClips => ("FB_DAMAGE_CLIPS", Atomic, Blob),
        }
    }

    /// DRM_MODE_PROP_ flags.
    pub fn flags(self) -> u32 {
        let (_, used, kind) = self.definition();
        let kind = match kind {
            Kind::Range(..) => prop::RANGE,
            Kind::Signed(..) => prop::SIGNED_RANGE,
            Kind::Enum(_) => prop::ENUM,
            Kind::Blob => prop::BLOB,
            Kind::Object(_) => prop::OBJECT,
        };
        kind | match used {
            Use::Common => 0,
            Use::Fixed => prop::IMMUTABLE,
            Use::Atomic => prop::ATOMIC,
        }
    }

    /// A value that it can have, as far as the number alone tells (drm_property_change_valid_get()).
    pub fn allows(self, value: u64) -> bool {
        match self.definition() {
            (_, Use::Fixed, _) => false,
            (_, _, Kind::Range(least, most)) => (least..=most).contains(&value),
            (_, _, Kind::Signed(least, most)) => (least..=most).contains(&(value as i64)),
            (_, _, Kind::Enum(values)) => values.iter().any(|(one, _)| *one == value),
            // That these exist is looked up where they are used.
            (_, _, Kind::Blob | Kind::Object(_)) => u32::try_from(value).is_ok(),
        }
    }

    /// The values that GETPROPERTY tells: limits, or those of an enumeration, or an object's kind.
    pub fn values(self) -> Vec<u64> {
        match self.definition().2 {
            Kind::Range(least, most) => vec![least, most],
            Kind::Signed(least, most) => vec![least as u64, most as u64],
            Kind::Enum(values) => values.iter().map(|(value, _)| *value).collect(),
            Kind::Blob => Vec::new(),
            Kind::Object(kind) => vec![kind.into()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_back() {
        for property in ALL {
            assert_eq!(Property::find(property.id()), Some(property));
            assert!(property.id() < END);
        }
        assert_eq!((Property::find(0), Property::find(END)), (None, None));
    }

    #[test]
    fn limits_hold() {
        assert!(Property::CrtcX.allows(-5i64 as u64) && !Property::CrtcX.allows(1 << 40));
        assert!(Property::Active.allows(1) && !Property::Active.allows(2));
        assert!(!Property::Type.allows(1), "nobody sets it");
        assert!(Property::Dpms.allows(3) && !Property::Dpms.allows(4));
    }
}
