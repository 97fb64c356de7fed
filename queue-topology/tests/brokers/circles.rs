//! No two files of a crate use each other in a circle.
//!
//! The rule looks at modules that stand beside each other, each together with all modules below it. None of them may use
//! another that uses it back, directly or by way of others. A module and the module that contains it may use each other:
//! a parent declares and exports its children, and a child may use what its parent defines.
//!
//! A name that a file has imported leads to the file that defines it, so a circle cannot hide behind a re-export. Code for
//! tests does not count, because a test may use the fixtures of another file.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::layers::packages;

/// The path of a module from the root of its crate.
type Place = Vec<String>;

/// The modules of one crate, each with the names that it imports and the paths that it uses.
#[derive(Default)]
struct Sources {
    /// The file of each module, by the place of the module that the file begins with.
    files: BTreeMap<Place, Place>,
    imports: BTreeMap<Place, BTreeMap<String, Vec<String>>>,
    uses: Vec<(Place, Vec<String>)>,
}

impl Sources {
    /// Reads a crate from its root file on.
    fn read(root: &Path) -> Self {
        let mut sources = Self::default();
        let folder = root.parent().expect("a file is in a folder");
        sources.read_file(root, folder, &Place::new());
        sources
    }

    /// Reads the file of the module at `place`. The files of its children are in `folder`.
    fn read_file(&mut self, file: &Path, folder: &Path, place: &Place) {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.files.insert(place.clone(), place.clone());
        self.read_tokens(tokens, folder, place, place);
    }

    /// Reads the tokens of the module at `place`, which is in the file of the module `of_file`.
    fn read_tokens(&mut self, tokens: TokenStream, folder: &Path, place: &Place, of_file: &Place) {
        let mut rest: VecDeque<TokenTree> = tokens.into_iter().collect();
        while let Some(token) = rest.pop_front() {
            match token {
                TokenTree::Punct(sign) if sign.as_char() == '#' && is_left_out(rest.front()) => {
                    skip_item(&mut rest);
                }
                TokenTree::Group(group) => self.read_tokens(group.stream(), folder, place, of_file),
                TokenTree::Ident(word) if word == "mod" => {
                    self.read_module(&mut rest, folder, place, of_file);
                }
                TokenTree::Ident(word) if word == "use" => {
                    let tree: Vec<TokenTree> = std::iter::from_fn(|| rest.pop_front())
                        .take_while(|token| !is_sign(Some(token), ';'))
                        .collect();
                    self.import(&tree, &[], place);
                }
                TokenTree::Ident(word) if word == "crate" || word == "super" || word == "self" => {
                    let path = rest_of_path(word.to_string(), &mut rest);
                    if path.len() > 1 {
                        self.uses.push((place.clone(), path));
                    }
                }
                _ => {}
            }
        }
    }

    /// Reads a declared module, be it a file or a block.
    fn read_module(&mut self, rest: &mut VecDeque<TokenTree>, folder: &Path, place: &Place, of_file: &Place) {
        let Some(TokenTree::Ident(name)) = rest.pop_front() else { return };
        let child: Place = place.iter().cloned().chain([name.to_string()]).collect();
        let below = folder.join(name.to_string());
        match rest.pop_front() {
            Some(TokenTree::Group(block)) if block.delimiter() == Delimiter::Brace => {
                self.files.insert(child.clone(), of_file.clone());
                self.read_tokens(block.stream(), &below, &child, of_file);
            }
            _ => {
                let beside = below.with_extension("rs");
                let file = if beside.is_file() { beside } else { below.join("mod.rs") };
                self.read_file(&file, &below, &child);
            }
        }
    }

    /// Reads what a `use` imports: each name with its whole path.
    fn import(&mut self, tree: &[TokenTree], before: &[String], place: &Place) {
        let mut path = before.to_vec();
        let mut tokens = tree.iter();
        let mut name = None;
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(word) if word == "as" => name = tokens.next().map(ToString::to_string),
                TokenTree::Ident(word) if word == "self" && !path.is_empty() => {}
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Group(group) => {
                    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
                    for branch in tokens.split(|token| is_sign(Some(token), ',')).filter(|it| !it.is_empty())
                    {
                        self.import(branch, &path, place);
                    }
                    return;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
        if let Some(name) = name.or_else(|| path.last().cloned()) {
            self.imports.entry(place.clone()).or_default().insert(name, path.clone());
        }
        self.uses.push((place.clone(), path));
    }

    /// The file in which a path ends that is used in the module `place`. Nothing if it leads to another crate.
    fn resolve(&self, place: &Place, path: &[String], imports_left: u32) -> Option<&Place> {
        let mut at = place.clone();
        let mut path = path;
        match path.first()?.as_str() {
            "crate" => {
                at.clear();
                path = &path[1..];
            }
            "self" => path = &path[1..],
            "super" => {
                while path.first().is_some_and(|word| word == "super") {
                    at.pop();
                    path = &path[1..];
                }
            }
            word => {
                let is_child = self.files.contains_key(&child(&at, word));
                if !is_child {
                    let import = self.imports.get(&at)?.get(word)?;
                    return self.follow(&at, import, &path[1..], imports_left);
                }
            }
        }
        while let Some(word) = path.first() {
            let next = child(&at, word);
            if !self.files.contains_key(&next) {
                break;
            }
            at = next;
            path = &path[1..];
        }
        let import = path.first().and_then(|word| self.imports.get(&at)?.get(word));
        match import {
            // A `use` of the same module does not lead any further.
            Some(import) => {
                self.follow(&at, import, &path[1..], imports_left).or_else(|| self.files.get(&at))
            }
            None => self.files.get(&at),
        }
    }

    fn follow(&self, at: &Place, import: &[String], rest: &[String], imports_left: u32) -> Option<&Place> {
        let path: Vec<String> = import.iter().chain(rest).cloned().collect();
        self.resolve(at, &path, imports_left.checked_sub(1)?)
    }

    /// Which modules use which others, among modules that stand beside each other.
    fn arrows(&self) -> BTreeMap<Place, BTreeSet<Place>> {
        let mut arrows: BTreeMap<Place, BTreeSet<Place>> = BTreeMap::new();
        for (place, path) in &self.uses {
            let (Some(from), Some(to)) = (self.files.get(place), self.resolve(place, path, 8)) else {
                continue;
            };
            let shared = from.iter().zip(to).take_while(|(one, other)| one == other).count();
            if shared < from.len() && shared < to.len() {
                let (from, to) = (from[..=shared].to_vec(), to[..=shared].to_vec());
                arrows.entry(from).or_default().insert(to);
            }
        }
        arrows
    }

    /// The circles, each as the shortest way from its first module back to it.
    fn circles(&self) -> BTreeSet<String> {
        let arrows = self.arrows();
        let mut circles = BTreeSet::new();
        for start in arrows.keys() {
            let Some(circle) = way_back(&arrows, start) else { continue };
            // The same circle is found from each of its modules, and is named from the first.
            if circle.iter().min() == Some(start) {
                let names: Vec<String> = circle.iter().chain([start]).map(|place| place.join("::")).collect();
                circles.insert(names.join(" -> "));
            }
        }
        circles
    }
}

fn child(place: &Place, name: &str) -> Place {
    place.iter().cloned().chain([name.to_owned()]).collect()
}

/// The shortest way from `start` back to it, without its end.
fn way_back(arrows: &BTreeMap<Place, BTreeSet<Place>>, start: &Place) -> Option<Vec<Place>> {
    let mut ways = VecDeque::from([vec![start.clone()]]);
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop_front() {
        for next in way.last().and_then(|last| arrows.get(last)).into_iter().flatten() {
            if next == start {
                return Some(way);
            }
            if seen.insert(next.clone()) {
                ways.push_back(way.iter().chain([next]).cloned().collect());
            }
        }
    }
    None
}

fn is_sign(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
}

/// Whether an item with this attribute is left out: it is for tests, or it is a file of another crate that this one shares
/// with it.
fn is_left_out(attribute: Option<&TokenTree>) -> bool {
    let Some(TokenTree::Group(attribute)) = attribute else { return false };
    let attribute = attribute.stream().to_string().replace(' ', "");
    attribute == "cfg(test)" || attribute.starts_with("path=")
}

/// Skips an item, after the sign of its first attribute.
fn skip_item(rest: &mut VecDeque<TokenTree>) {
    while let Some(token) = rest.pop_front() {
        let is_block = matches!(&token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
        if is_block || is_sign(Some(&token), ';') {
            return;
        }
    }
}

/// A path that begins with `first`. Takes the words that follow from `rest`.
fn rest_of_path(first: String, rest: &mut VecDeque<TokenTree>) -> Vec<String> {
    let mut path = vec![first];
    while is_sign(rest.front(), ':') && is_sign(rest.get(1), ':') {
        let Some(TokenTree::Ident(word)) = rest.get(2) else { break };
        path.push(word.to_string());
        rest.drain(..3);
    }
    path
}

#[test]
fn no_two_files_of_a_crate_use_each_other_in_a_circle() {
    let mut found = Vec::new();
    let mut read = 0;
    for package in packages() {
        for target in package.targets.iter().filter(|target| !target.is_custom_build()) {
            let sources = Sources::read(target.src_path.as_std_path());
            read += sources.files.len();
            let circles = sources.circles().into_iter();
            found.extend(circles.map(|circle| format!("{}: {circle}", package.name)));
        }
    }
    assert!(found.is_empty(), "modules use each other in a circle:\n{}", found.join("\n"));
    assert!(read > 200, "only {read} modules were read");
}

/// The circles of a crate that consists of these files.
fn circles(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file: PathBuf = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    Sources::read(&folder.path().join("lib.rs")).circles().into_iter().collect()
}

#[test]
fn a_circle_is_named() {
    let lib = ("lib.rs", "mod a; mod b; mod c;");
    let a = ("a.rs", "use crate::b::B; pub struct A(B);");
    let b = ("b.rs", "pub struct B(super::c::C);");
    let c = ("c.rs", "use super::{a::{A as First}, b};");
    assert_eq!(circles(&[lib, a, b, c]), ["a -> b -> c -> a", "b -> c -> b"]);
    let c = ("c.rs", "pub struct C;");
    assert_eq!(circles(&[lib, a, b, c]), [""; 0]);
}

#[test]
fn a_circle_is_found_behind_a_re_export_and_inside_a_macro() {
    let lib = ("lib.rs", "mod a; mod b; pub use a::A;");
    let b = ("b.rs", "pub struct B; fn f() { println!(\"{:?}\", crate::A::new()); }");
    assert_eq!(circles(&[lib, ("a.rs", "use crate::b::B;"), b]), ["a -> b -> a"]);
}

#[test]
fn a_circle_is_found_between_the_files_below_two_modules() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "mod inner;"),
        ("a/inner.rs", "use crate::b::B;"),
        ("b.rs", "mod deep; pub struct B;"),
        ("b/deep.rs", "use super::super::a::A;"),
    ];
    assert_eq!(circles(&files), ["a -> b -> a"]);
}

#[test]
fn a_parent_and_its_child_and_code_for_tests_make_no_circle() {
    let files = [
        ("lib.rs", "mod a; mod b; use a::A; pub struct Root(A);"),
        ("a.rs", "use crate::Root; use crate::b::B; // use crate::b::A;\n pub struct A;"),
        ("b.rs", "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }"),
    ];
    assert_eq!(circles(&files), [""; 0]);
}
