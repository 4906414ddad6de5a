//! Texts and attributes that remember what they show, and are written only if that changes.
//!
//! Nothing is read back from the document: a read between two writes would force a layout.

use web_sys::{Document, Element, Node, Text};

use crate::text_search::split_at_match;

/// Appends a new element to another one.
pub fn append_element(document: &Document, parent: &Node, tag: &str, class: &str) -> Option<Element> {
    let element = document.create_element(tag).ok()?;
    if !class.is_empty() {
        element.set_class_name(class);
    }
    parent.append_child(&element).ok()?;
    Some(element)
}

pub struct TextCell {
    node: Text,
    shown: String,
}

impl TextCell {
    /// Appends an empty text to an element.
    pub fn new(document: &Document, parent: &Node) -> Option<Self> {
        let node = document.create_text_node("");
        parent.append_child(&node).ok()?;
        Some(Self {
            node,
            shown: String::new(),
        })
    }

    /// Appends a text that never changes.
    pub fn append_fixed(document: &Document, parent: &Node, text: &str) -> Option<()> {
        parent.append_child(&document.create_text_node(text)).ok()?;
        Some(())
    }

    pub fn set(&mut self, text: &str) {
        if self.shown != text {
            self.node.set_data(text);
            text.clone_into(&mut self.shown);
        }
    }
}

pub struct AttributeCell {
    element: Element,
    name: &'static str,
    shown: Option<String>,
}

impl AttributeCell {
    /// An attribute that the element does not have yet.
    pub fn new(element: &Element, name: &'static str) -> Self {
        Self {
            element: element.clone(),
            name,
            shown: None,
        }
    }

    pub fn set(&mut self, text: &str) {
        if self.shown.as_deref() != Some(text) {
            let _set = self.element.set_attribute(self.name, text);
            self.shown = Some(text.to_owned());
        }
    }

    pub fn set_or_remove(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.set(text),
            None if self.shown.take().is_some() => {
                let _removed = self.element.remove_attribute(self.name);
            }
            None => {}
        }
    }
}

/// A text in which the first searched text is highlighted.
pub struct HighlightedCell {
    before: TextCell,
    mark: Option<(Element, TextCell)>,
    after: TextCell,
}

impl HighlightedCell {
    /// Appends an empty text to an element.
    pub fn new(document: &Document, parent: &Node) -> Option<Self> {
        Some(Self {
            before: TextCell::new(document, parent)?,
            mark: None,
            after: TextCell::new(document, parent)?,
        })
    }

    /// Shows a text. The searched texts are in lower case.
    pub fn set(&mut self, text: &str, texts: &[String]) {
        let (before, highlighted, after) = split_at_match(text, texts);
        self.before.set(before);
        self.after.set(after);
        if highlighted.is_empty() {
            if let Some((element, _)) = self.mark.take() {
                element.remove();
            }
            return;
        }
        if self.mark.is_none() {
            self.mark = self.insert_mark();
        }
        if let Some((_, highlight)) = &mut self.mark {
            highlight.set(highlighted);
        }
    }

    fn insert_mark(&self) -> Option<(Element, TextCell)> {
        let parent = self.after.node.parent_node()?;
        let document = parent.owner_document()?;
        let element = document.create_element("mark").ok()?;
        parent.insert_before(&element, Some(&self.after.node)).ok()?;
        let text = TextCell::new(&document, &element)?;
        Some((element, text))
    }
}
