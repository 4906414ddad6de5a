//! Parts of the document that remember what they show, and are written only when that is another.
//!
//! Nothing is ever read back from the document: a reading between two writings would have everything laid out in between.

use web_sys::{Document, Element, Node, Text};

use crate::query::split;

/// A new element in another one.
pub fn element(document: &Document, parent: &Node, tag: &str, class: &str) -> Option<Element> {
    let element = document.create_element(tag).ok()?;
    if !class.is_empty() {
        element.set_class_name(class);
    }
    parent.append_child(&element).ok()?;
    Some(element)
}

/// A text.
pub struct Words {
    node: Text,
    shown: String,
}

impl Words {
    /// An empty one at an element's end.
    pub fn new(document: &Document, parent: &Node) -> Option<Self> {
        let node = document.create_text_node("");
        parent.append_child(&node).ok()?;
        Some(Self {
            node,
            shown: String::new(),
        })
    }

    /// One that never changes.
    pub fn fixed(document: &Document, parent: &Node, text: &str) -> Option<()> {
        parent.append_child(&document.create_text_node(text)).ok()?;
        Some(())
    }

    pub fn put(&mut self, text: &str) {
        if self.shown != text {
            self.node.set_data(text);
            text.clone_into(&mut self.shown);
        }
    }
}

/// An attribute.
pub struct Attribute {
    element: Element,
    name: &'static str,
    shown: Option<String>,
}

impl Attribute {
    /// One that is not there yet.
    pub fn new(element: &Element, name: &'static str) -> Self {
        Self {
            element: element.clone(),
            name,
            shown: None,
        }
    }

    pub fn put(&mut self, text: &str) {
        if self.shown.as_deref() != Some(text) {
            // The names are attributes' names.
            let _set = self.element.set_attribute(self.name, text);
            self.shown = Some(text.to_owned());
        }
    }

    pub fn put_if(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.put(text),
            None if self.shown.take().is_some() => {
                let _removed = self.element.remove_attribute(self.name);
            }
            None => {}
        }
    }
}

/// A text in which what is searched for is marked.
pub struct Marked {
    before: Words,
    mark: Option<(Element, Words)>,
    after: Words,
}

impl Marked {
    /// An empty one at an element's end.
    pub fn new(document: &Document, parent: &Node) -> Option<Self> {
        Some(Self {
            before: Words::new(document, parent)?,
            mark: None,
            after: Words::new(document, parent)?,
        })
    }

    /// Shows a text; the texts that are searched for are in lower case.
    pub fn put(&mut self, text: &str, texts: &[String]) {
        let (before, marked, after) = split(text, texts);
        self.before.put(before);
        self.after.put(after);
        if marked.is_empty() {
            if let Some((element, _)) = self.mark.take() {
                element.remove();
            }
            return;
        }
        if self.mark.is_none() {
            self.mark = self.insert();
        }
        if let Some((_, words)) = &mut self.mark {
            words.put(marked);
        }
    }

    fn insert(&self) -> Option<(Element, Words)> {
        let parent = self.after.node.parent_node()?;
        let document = parent.owner_document()?;
        let element = document.create_element("mark").ok()?;
        parent.insert_before(&element, Some(&self.after.node)).ok()?;
        let words = Words::new(&document, &element)?;
        Some((element, words))
    }
}
