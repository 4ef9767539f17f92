//! Ranges of IP addresses: what an `ipBlock` covers. Knows nothing of policies.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::network::IpBlock;

/// The two families. An address of one is never inside a range of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Family {
    V4,
    V6,
}

/// Addresses `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Range {
    /// Family of both ends.
    pub family: Family,
    /// First address as a number.
    pub first: u128,
    /// Last address as a number.
    pub last: u128,
}

impl Range {
    /// Every address of a family.
    pub const fn whole(family: Family) -> Self {
        let last = match family {
            Family::V4 => u32::MAX as u128,
            Family::V6 => u128::MAX,
        };
        Self { family, first: 0, last }
    }

    /// Reads `address/length`; host bits are ignored, as CNIs do. `None` for anything else.
    pub fn parse(cidr: &str) -> Option<Self> {
        let (address, length) = cidr.split_once('/')?;
        let length: u32 = length.parse().ok()?;
        let (family, number, bits) = match address.parse().ok()? {
            IpAddr::V4(address) => (Family::V4, u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (Family::V6, address.to_bits(), 128),
        };
        if length > bits {
            return None;
        }
        let size = match bits - length {
            128 => u128::MAX,
            free => (1 << free) - 1,
        };
        let first = number & !size;
        Some(Self {
            family,
            first,
            last: first | size,
        })
    }

    /// Whether every address of `other` is in this range.
    pub fn contains(&self, other: &Self) -> bool {
        self.family == other.family && self.first <= other.first && other.last <= self.last
    }

    /// Whether the range is all of its family.
    pub fn is_whole(&self) -> bool {
        *self == Self::whole(self.family)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = |number: u128| match self.family {
            // The number came from 32 bits.
            Family::V4 => IpAddr::V4(Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX))),
            Family::V6 => IpAddr::V6(Ipv6Addr::from(number)),
        };
        match (self.is_whole(), self.family) {
            (true, Family::V4) => f.write_str("IPv4 addresses"),
            (true, Family::V6) => f.write_str("IPv6 addresses"),
            _ if self.first == self.last => write!(f, "{}", address(self.first)),
            _ => write!(f, "{} to {}", address(self.first), address(self.last)),
        }
    }
}

/// Whether a range that no block of the question splits (see [`atoms`]) is inside a block and outside its exceptions. A CIDR that cannot be read covers
/// nothing, an exception that cannot be read takes nothing away; the API server refuses both.
pub fn covers(block: &IpBlock, atom: &Range) -> bool {
    Range::parse(&block.cidr).is_some_and(|range| range.contains(atom))
        && !block
            .except
            .iter()
            .filter_map(|cidr| Range::parse(cidr))
            .any(|hole| hole.contains(atom))
}

/// Splits both families so that every block and exception is a union of whole pieces.
pub fn atoms<'a>(blocks: impl Iterator<Item = &'a IpBlock>) -> Vec<Range> {
    let mut cuts = std::collections::BTreeSet::new();
    for block in blocks {
        let cidrs = std::iter::once(&block.cidr).chain(&block.except);
        for range in cidrs.filter_map(|cidr| Range::parse(cidr)) {
            cuts.insert((range.family, range.first));
            if range.last < Range::whole(range.family).last {
                cuts.insert((range.family, range.last + 1));
            }
        }
    }
    let mut pieces = Vec::new();
    for family in [Family::V4, Family::V6] {
        let whole = Range::whole(family);
        let mut first = whole.first;
        for cut in cuts
            .iter()
            .filter(|(f, cut)| *f == family && *cut > 0)
            .map(|(_, cut)| *cut)
        {
            let last = cut - 1;
            pieces.push(Range { family, first, last });
            first = cut;
        }
        pieces.push(Range {
            family,
            first,
            last: whole.last,
        });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(cidr: &str, except: &[&str]) -> IpBlock {
        IpBlock {
            cidr: cidr.to_owned(),
            except: except.iter().map(|&cidr| cidr.to_owned()).collect(),
        }
    }

    #[test]
    fn a_block_is_a_union_of_atoms() {
        let block = block("10.0.0.0/8", &["10.1.0.0/16"]);
        let covered: Vec<_> = atoms([&block].into_iter())
            .into_iter()
            .filter(|atom| covers(&block, atom))
            .map(|atom| atom.to_string())
            .collect();
        assert_eq!(covered, ["10.0.0.0 to 10.0.255.255", "10.2.0.0 to 10.255.255.255"]);
    }

    #[test]
    fn the_whole_of_one_family_is_not_the_other() {
        let pieces = atoms([&block("0.0.0.0/0", &[])].into_iter());
        let covered: Vec<_> = pieces
            .iter()
            .map(|atom| covers(&block("0.0.0.0/0", &[]), atom))
            .collect();
        assert_eq!(covered, [true, false]);
        assert!(covers(&block("::/0", &[]), &pieces[1]));
    }

    #[test]
    fn what_is_no_cidr_covers_nothing() {
        for text in ["", "10.0.0.0", "10.0.0.0/33", "::/129", "web/8", "10.0.0.0/-1"] {
            assert_eq!(Range::parse(text), None, "{text}");
        }
        assert_eq!(
            Range::parse("10.1.2.3/8"),
            Range::parse("10.0.0.0/8"),
            "host bits do not matter"
        );
    }
}
