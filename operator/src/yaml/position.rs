//! Where a field of an object stands.

use super::tree::{Content, Node, steps};

/// Line and column, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line from 1.
    pub line: usize,
    /// Column from 1.
    pub column: usize,
}

/// Where the field at a JSON pointer stands: its key, or its item. A field that is absent stands where the nearest parent that is there does.
pub fn position_of(document: &Node, pointer: &str) -> Position {
    let mut node = document;
    let mut found = at(document);
    for step in steps(pointer) {
        let Some(child) = node.child(&step) else { break };
        found = match &node.content {
            Content::Mapping { entries, .. } => entries
                .iter()
                .rev()
                .find(|entry| entry.key == step)
                .map_or(found, |entry| at(&entry.at)),
            _ => at(child),
        };
        node = child;
    }
    found
}

fn at(node: &Node) -> Position {
    Position {
        line: node.line,
        column: node.column,
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    const POD: &str = "kind: Pod\nspec:\n  containers:\n  - name: web\n    securityContext:\n      privileged: true\n  - {name: side}\n";

    fn position(pointer: &str) -> (usize, usize) {
        let position = position_of(&parse(POD).unwrap().unwrap(), pointer);
        (position.line, position.column)
    }

    #[test]
    fn a_field_stands_at_its_key() {
        assert_eq!(position("/spec/containers/0/securityContext/privileged"), (6, 7));
        assert_eq!(position("/spec/containers/1"), (7, 5));
    }

    #[test]
    fn what_is_absent_stands_at_its_nearest_parent() {
        assert_eq!(position("/spec/containers/0/securityContext/runAsNonRoot"), (5, 5));
        assert_eq!(position("/spec/containers/1/securityContext/privileged"), (7, 5));
        assert_eq!(position("/spec/hostPID"), (2, 1));
        assert_eq!(position("/nothing/of/it"), (1, 1));
    }
}
