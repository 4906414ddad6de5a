//! The list of redaction rules, and the form in which a rule is written and tried.

use std::rc::Rc;

use protocol::{
    redact::{Redaction, Rule},
    wire::inspector::{Background, FromInspector},
};
use web_sys::Element;

use super::state::{SharedState, State, author_label};
use crate::{
    background_link::BackgroundLink,
    dom::{
        add, button, by_id, element, fill_or, focus, on, set_flag, set_value, show_message, text, value_of,
    },
    redaction_preview::preview_redaction,
    rule_draft::{RuleDraft, describe_scope, method_name},
};

/// The fields of the form that the preview depends on.
const FORM_FIELDS: [&str; 6] = [
    "rule-database",
    "rule-store",
    "rule-how",
    "rule-fields",
    "sample",
    "sample-key-path",
];

pub fn listen(state: &SharedState, link: &Rc<BackgroundLink>) {
    for id in FORM_FIELDS {
        let known = Rc::clone(state);
        on(&by_id(id), "input", move |_| {
            update_preview(&known.borrow(), false);
        });
    }
    let (known, to) = (Rc::clone(state), Rc::clone(link));
    on(&by_id("edit-rule"), "submit", move |event| {
        event.prevent_default();
        save_rule(&known, &to);
    });
    let known = Rc::clone(state);
    on(&by_id("cancel-rule"), "click", move |_| edit_rule(&known, None));
}

fn draft_in_form() -> RuleDraft {
    RuleDraft {
        database: value_of("rule-database"),
        store: value_of("rule-store"),
        fields: value_of("rule-fields"),
        method: value_of("rule-how"),
    }
}

fn save_rule(state: &SharedState, link: &BackgroundLink) {
    let rule = match draft_in_form().to_rule() {
        Ok(rule) => rule,
        Err(error) => {
            show_message("rule-error", Some(&error.to_string()));
            return focus("rule-fields");
        }
    };
    let mut rules = state.borrow().user_rules();
    let edited = state.borrow().edited_rule;
    match edited.and_then(|index| rules.get_mut(index)) {
        Some(old) => *old = rule,
        None => rules.push(rule),
    }
    link.send(&FromInspector::Rules(rules));
    edit_rule(state, None);
}

/// Puts one of the user's rules into the form, or empties the form.
pub fn edit_rule(state: &SharedState, index: Option<usize>) {
    state.borrow_mut().edited_rule = index;
    let draft = index
        .and_then(|index| {
            let rules = state.borrow().user_rules();
            rules.get(index).map(RuleDraft::from_rule)
        })
        .unwrap_or_default();
    set_value("rule-database", &draft.database);
    set_value("rule-store", &draft.store);
    set_value("rule-fields", &draft.fields);
    let method = if draft.method.is_empty() {
        "drop"
    } else {
        &draft.method
    };
    set_value("rule-how", method);
    let is_change = index.is_some();
    let title = if is_change { "Change the rule" } else { "New rule" };
    by_id("edit-title").set_text_content(Some(title));
    let save = if is_change { "Save rule" } else { "Add rule" };
    by_id("save-rule").set_text_content(Some(save));
    set_flag(&by_id("cancel-rule"), "hidden", !is_change);
    show_message("rule-error", None);
    if is_change {
        focus("rule-fields");
    }
    update_preview(&state.borrow(), true);
}

/// Shows the effect of all rules, including the one in the form, on the sample.
///
/// `keeps_error`: an error of the form stays, because the form did not change.
pub fn update_preview(state: &State, keeps_error: bool) {
    let draft = draft_in_form();
    let rule = if draft.fields.trim().is_empty() {
        None
    } else {
        match draft.to_rule() {
            Ok(rule) => Some(rule),
            Err(error) => return show_message("rule-error", Some(&error.to_string())),
        }
    };
    if !keeps_error {
        show_message("rule-error", None);
    }
    let others = state.background.rules.iter().flat_map(|(who, rules)| {
        let edited = state.edited_rule.filter(|_| who == "user");
        rules
            .iter()
            .enumerate()
            .filter(move |(index, _)| Some(*index) != edited)
            .map(|(_, rule)| rule)
    });
    let redaction = match Redaction::new(others.chain(&rule), &state.secret) {
        Ok(redaction) => redaction,
        Err(error) => return show_message("rule-error", Some(&error.to_string())),
    };
    let preview = preview_redaction(
        &redaction,
        draft.database.trim(),
        draft.store.trim(),
        &value_of("sample-key-path"),
        &value_of("sample"),
    );
    match preview {
        Ok(preview) => {
            show_message("sample-error", None);
            by_id("after").set_text_content(Some(&preview.value));
            let key = preview.key.as_deref().unwrap_or("none in the value");
            by_id("after-key").set_text_content(Some(key));
            by_id("after-words").set_text_content(Some(if preview.is_changed {
                "Redacted."
            } else {
                "Leaves as it is."
            }));
        }
        Err(error) => show_message("sample-error", Some(&error)),
    }
}

pub fn render_rules(state: &SharedState, background: &Background, link: &Rc<BackgroundLink>) {
    let mut rows = Vec::new();
    for (who, rules) in background.rules.iter() {
        for (index, rule) in rules.iter().enumerate() {
            rows.push(rule_row(state, who, index, rule, link));
        }
    }
    fill_or(
        &by_id("rules"),
        &rows,
        "Nothing is redacted: records leave as they are.",
    );
}

fn rule_row(state: &SharedState, who: &str, index: usize, rule: &Rule, link: &Rc<BackgroundLink>) -> Element {
    let row = element("li", "");
    let scope = describe_scope(rule);
    let fields: Vec<&str> = rule
        .fields
        .iter()
        .map(|field| {
            if field.is_empty() {
                "the whole value"
            } else {
                field
            }
        })
        .collect();
    let description = element("span", "");
    add(
        &description,
        &[
            text("b", "", method_name(rule.how)),
            text("span", "code", &format!(" {} ", fields.join(", "))),
            text("small", "", &format!("in {scope}")),
        ],
    );
    add(&row, &[description, text("small", "by", author_label(who))]);
    if who == "user" {
        let change = button("Change", &format!("Change the rule for {scope}"));
        let known = Rc::clone(state);
        on(&change, "click", move |_| edit_rule(&known, Some(index)));
        let remove = button("Remove", &format!("Remove the rule for {scope}"));
        let (known, to) = (Rc::clone(state), Rc::clone(link));
        on(&remove, "click", move |_| {
            let mut rules = known.borrow().user_rules();
            if index < rules.len() {
                rules.remove(index);
            }
            to.send(&FromInspector::Rules(rules));
            edit_rule(&known, None);
        });
        add(&row, &[change, remove]);
    }
    row
}
