//! What a node of a syntax tree is to chunking, and what it is called. The names of kinds are the grammars' own.

use tree_sitter::{Language, Node};

/// Bytes of the smallest node that is or holds a definition.
pub(super) const SMALLEST: usize = 8;
/// Bytes of a name.
const MAX_NAME: usize = 100;
/// Declarators around a name in C: pointers to arrays of functions.
const MAX_DECLARATORS: usize = 20;

const FUNCTIONS: [&str; 17] = [
    "function_item",
    "macro_definition",
    "function_definition",
    "function_declaration",
    "generator_function_declaration",
    "method_definition",
    "method_declaration",
    "constructor_declaration",
    "compact_constructor_declaration",
    "destructor_declaration",
    "local_function_statement",
    "method",
    "singleton_method",
    "annotation_type_element_declaration",
    "operator_declaration",
    "conversion_operator_declaration",
    "indexer_declaration",
];

const HOLDERS: [&str; 33] = [
    "struct_item",
    "enum_item",
    "union_item",
    "trait_item",
    "impl_item",
    "mod_item",
    "class_definition",
    "class_declaration",
    "abstract_class_declaration",
    "class",
    "module",
    "singleton_class",
    "interface_declaration",
    "enum_declaration",
    "record_declaration",
    "struct_declaration",
    "delegate_declaration",
    "annotation_type_declaration",
    "namespace_declaration",
    "file_scoped_namespace_declaration",
    "namespace_definition",
    "internal_module",
    "trait_declaration",
    "type_alias_declaration",
    "type_spec",
    "type_definition",
    "class_specifier",
    "struct_specifier",
    "union_specifier",
    "enum_specifier",
    "concept_definition",
    "property_declaration",
    "type_item",
];

/// A name that is given to a function as a value.
const NAMED: [&str; 5] =
    ["variable_declarator", "field_definition", "public_field_definition", "pair", "assignment_expression"];
const VALUES: [&str; 5] = ["arrow_function", "function_expression", "function", "generator_function", "class"];

/// Around a definition, and part of it.
const WRAPPERS: [&str; 7] = [
    "decorated_definition",
    "export_statement",
    "ambient_declaration",
    "template_declaration",
    "lexical_declaration",
    "variable_declaration",
    "type_declaration",
];

/// Before a definition, and part of it.
const NOTES: [&str; 6] = ["comment", "line_comment", "block_comment", "attribute_item", "decorator", "attribute_list"];

/// What a node is to chunking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A function or what holds functions, by its name.
    Definition { name: String, is_function: bool },
    /// Something around a definition.
    Wrapper,
    /// A comment or an attribute.
    Note,
    /// Anything else.
    Other,
}

/// What nodes of a kind may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Function,
    Holder,
    /// A function, where its value is one.
    Named,
    Wrapper,
    Note,
    Other,
}

/// The role of each kind of a grammar, by its number: there are far more nodes than kinds.
pub(super) struct Roles(Vec<Role>);

impl Roles {
    pub(super) fn of(language: &Language) -> Self {
        let kinds = 0..language.node_kind_count() as u16;
        Self(kinds.map(|id| language.node_kind_for_id(id).map_or(Role::Other, Role::of)).collect())
    }

    fn role(&self, node: Node<'_>) -> Role {
        // What could not be parsed has a number of its own.
        self.0.get(usize::from(node.kind_id())).copied().unwrap_or(Role::Other)
    }
}

impl Role {
    fn of(kind: &str) -> Self {
        let among = |kinds: &[&str]| kinds.contains(&kind);
        match kind {
            _ if among(&NOTES) => Self::Note,
            _ if among(&FUNCTIONS) => Self::Function,
            _ if among(&NAMED) => Self::Named,
            _ if among(&HOLDERS) => Self::Holder,
            _ if among(&WRAPPERS) => Self::Wrapper,
            _ => Self::Other,
        }
    }
}

impl Kind {
    pub(super) fn of(node: Node<'_>, roles: &Roles, text: &str) -> Self {
        let role = roles.role(node);
        let is_function = match role {
            Role::Note => return Self::Note,
            _ if node.byte_range().len() < SMALLEST => return Self::Other,
            Role::Other => return Self::Other,
            Role::Wrapper => return Self::Wrapper,
            Role::Function => true,
            Role::Named if has_function(node) => true,
            Role::Holder if spans_lines(node) => false,
            Role::Named | Role::Holder => return Self::Other,
        };
        name(node, text).map_or(Self::Other, |name| Self::Definition { name, is_function })
    }
}

fn spans_lines(node: Node<'_>) -> bool {
    node.end_position().row > node.start_position().row
}

fn has_function(node: Node<'_>) -> bool {
    let value = |field| node.child_by_field_name(field).is_some_and(|value| VALUES.contains(&value.kind()));
    value("value") || value("right")
}

fn name(node: Node<'_>, text: &str) -> Option<String> {
    let named = match node.kind() {
        // `impl Display for Point<T>` is of Point.
        "impl_item" => node.child_by_field_name("type")?,
        "pair" => node.child_by_field_name("key")?,
        "assignment_expression" => node.child_by_field_name("left")?,
        "field_definition" => node.child_by_field_name("property")?,
        "operator_declaration" => node.child_by_field_name("operator")?,
        "conversion_operator_declaration" => node.child_by_field_name("type")?,
        "indexer_declaration" => node.child_by_field_name("type")?,
        "singleton_class" => node.child_by_field_name("value")?,
        _ => node.child_by_field_name("name").or_else(|| declared(node))?,
    };
    let bare = text[named.byte_range()].split(['<', '(', '[', '\n']).next().unwrap_or_default().trim();
    let bare = if bare.is_empty() { text[named.byte_range()].trim() } else { bare };
    let bare = &bare[..bare.floor_char_boundary(MAX_NAME)];
    let receiver =
        node.child_by_field_name("receiver").and_then(|receiver| receiver_type(&text[receiver.byte_range()]));
    let full = receiver.map_or_else(|| bare.to_owned(), |of| format!("{of}.{bare}"));
    (!full.trim().is_empty()).then_some(full)
}

/// The name in `int *(*name)(void)`.
fn declared(node: Node<'_>) -> Option<Node<'_>> {
    std::iter::successors(inner_declarator(node), |node| inner_declarator(*node)).take(MAX_DECLARATORS).last()
}

fn inner_declarator(node: Node<'_>) -> Option<Node<'_>> {
    let bare = matches!(node.kind(), "reference_declarator" | "parenthesized_declarator" | "attributed_declarator");
    node.child_by_field_name("declarator").or_else(|| node.named_child(0).filter(|_| bare))
}

/// `Server` of Go's `(s *Server[T])`.
fn receiver_type(receiver: &str) -> Option<&str> {
    let inside = receiver.trim_matches(['(', ')']).split('[').next()?;
    let name = inside.split_whitespace().last()?.trim_start_matches('*');
    (!name.is_empty() && name.len() <= MAX_NAME).then_some(name)
}
