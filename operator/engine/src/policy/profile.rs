//! Named sets of controls. A control belongs to a profile by its own framework mapping; there is no second list.

use ironside_crds::ProfileName;

use crate::controls::{Control, Framework, Parameters};

/// The newest version of the profiles.
pub(super) const LATEST: u32 = 1;

/// Controls that came after version 1 of the profiles, with the version that has them. Policies of an older version only audit them.
const ADDED: &[(&str, u32)] = &[];

/// Whether the profile has the control, at any version.
pub(super) fn contains(profile: ProfileName, control: &Control) -> bool {
    let maps = |framework| control.frameworks.iter().any(|mapping| mapping.framework == framework);
    match profile {
        ProfileName::NsaCisa => maps(Framework::NsaCisa),
        ProfileName::PssBaseline => maps(Framework::PssBaseline),
        // Restricted is baseline and more (Pod Security Standards).
        ProfileName::PssRestricted => maps(Framework::PssBaseline) || maps(Framework::PssRestricted),
        ProfileName::Cis => maps(Framework::Cis),
        ProfileName::None => false,
    }
}

/// Where a profile asks a control for another thing than the control's own defaults do: the two Pod Security Standards share controls that they set differently.
const SETTINGS: &[(ProfileName, &str, &str, &str)] = &[
    (ProfileName::PssBaseline, "POD-013", "unset", "Allow"),
    (ProfileName::PssRestricted, "POD-016", "inUserNamespace", "Refuse"),
];

/// What the profile sets of a control's parameters.
pub(super) fn parameters(profile: ProfileName, control: &Control) -> Parameters {
    let of_control =
        |setting: &&(ProfileName, &str, &str, &str)| setting.0 == profile && setting.1 == control.id.as_str();
    let settings = SETTINGS.iter().filter(of_control);
    Parameters(
        settings
            .map(|(_, _, name, value)| ((*name).to_owned(), vec![(*value).to_owned()]))
            .collect(),
    )
}

/// The version of the profiles that has the control first.
pub(super) fn since(control: &Control) -> u32 {
    since_in(ADDED, control.id.as_str())
}

fn since_in(added: &[(&str, u32)], id: &str) -> u32 {
    added
        .iter()
        .find(|(added, _)| *added == id)
        .map_or(1, |(_, version)| *version)
}

/// The number of a version that exists: 1 for `v1`.
pub(super) fn parse_version(text: &str) -> Option<u32> {
    text.strip_prefix('v')?
        .parse()
        .ok()
        .filter(|version| (1..=LATEST).contains(version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::{CONTROLS, find};

    fn ids(profile: ProfileName) -> Vec<&'static str> {
        let controls = CONTROLS.iter().filter(|control| contains(profile, control));
        controls.map(|control| control.id.as_str()).collect()
    }

    #[test]
    fn what_a_profile_sets_is_what_the_control_takes() {
        for (profile, id, name, value) in SETTINGS {
            let Some(control) = crate::controls::find(id) else {
                panic!("{profile:?} sets a parameter of {id}, which there is not")
            };
            assert!(contains(*profile, control), "{profile:?} has no {id}");
            let parameter = control.parameters.iter().find(|parameter| parameter.name == *name);
            let parameter = parameter.unwrap_or_else(|| panic!("{id} has no parameter {name}"));
            assert_eq!((parameter.accepts)(value), Ok(()), "{id} {name}");
        }
    }

    #[test]
    fn profiles_follow_the_mappings_of_the_controls() {
        let baseline = ids(ProfileName::PssBaseline);
        let restricted = ids(ProfileName::PssRestricted);
        assert!(baseline.contains(&"POD-001") && !baseline.contains(&"POD-009"));
        assert!(restricted.contains(&"POD-009"));
        assert!(
            baseline.iter().all(|id| restricted.contains(id)),
            "restricted is baseline and more"
        );
        assert!(ids(ProfileName::NsaCisa).contains(&"SA-001"));
        assert!(ids(ProfileName::Cis).contains(&"SA-001"));
        assert_eq!(ids(ProfileName::None), [""; 0]);
    }

    #[test]
    fn a_control_is_in_version_1_unless_it_was_added_later() {
        assert_eq!(since_in(&[("POD-050", 2)], "POD-050"), 2);
        assert_eq!(since_in(&[("POD-050", 2)], "POD-009"), 1);
        for (id, version) in ADDED {
            assert!(find(id).is_some() && *version > 1 && *version <= LATEST, "{id}");
        }
    }

    #[test]
    fn only_versions_that_exist_are_known() {
        assert_eq!(parse_version("v1"), Some(1));
        for text in ["", "1", "v0", "v2", "v-1", "latest"] {
            assert_eq!(parse_version(text), None, "{text:?}");
        }
    }
}
