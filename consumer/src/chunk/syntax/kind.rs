//! What a node of a syntax tree is to chunking, and what it is called. The names of kinds are the grammars' own.

use tree_sitter::Node;

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

impl Kind {
    pub(super) fn of(node: Node<'_>, text: &str) -> Self {
        let kind = node.kind();
        if NOTES.contains(&kind) {
            return Self::Note;
        }
        if node.byte_range().len() < SMALLEST {
            return Self::Other;
        }
        let is_function = FUNCTIONS.contains(&kind) || is_named_value(node);
        let is_definition = is_function || (HOLDERS.contains(&kind) && spans_lines(node));
        match is_definition.then(|| name(node, text)).flatten() {
            Some(name) => Self::Definition { name, is_function },
            None if WRAPPERS.contains(&kind) => Self::Wrapper,
            None => Self::Other,
        }
    }
}

fn spans_lines(node: Node<'_>) -> bool {
    node.end_position().row > node.start_position().row
}

fn is_named_value(node: Node<'_>) -> bool {
    let value = |field| node.child_by_field_name(field).is_some_and(|value| VALUES.contains(&value.kind()));
    NAMED.contains(&node.kind()) && (value("value") || value("right"))
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
