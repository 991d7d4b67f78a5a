//! Has the server's raw parser read a definition: it looks nothing up and runs nothing.

use std::ffi::{c_char, c_void, CStr, CString};

use pgrx::pg_sys::{self, NodeTag};

use super::{Definition, Key};

/// The table's name that the text is put after.
const TABLE: &str = "indexed";

/// Reads what follows a table's name in CREATE INDEX. A syntax error is raised as the server does; the caller catches it.
pub fn parse(definition: &str) -> Definition {
    let Ok(text) = CString::new(format!("CREATE INDEX ON {TABLE} {definition}")) else {
        return Definition::default();
    };
    // SAFETY: the text ends with a zero byte; the trees live in the current memory context, as long as this call.
    unsafe {
        let statements = elements(pg_sys::raw_parser(
            text.as_ptr(),
            pg_sys::RawParseMode::RAW_PARSE_DEFAULT,
        ));
        let mut found = Definition {
            statements: statements.len(),
            ..Definition::default()
        };
        if let [first] = statements {
            let statement = (*first.ptr_value.cast::<pg_sys::RawStmt>()).stmt;
            if (*statement).type_ == NodeTag::T_IndexStmt {
                read_index(&*statement.cast(), &mut found);
            }
        }
        found
    }
}

/// # Safety
/// The statement is of the raw parser.
unsafe fn read_index(statement: &pg_sys::IndexStmt, found: &mut Definition) {
    // SAFETY: CREATE INDEX always names its relation; the lists are of IndexElem nodes.
    unsafe {
        let relation = &*statement.relation;
        found.is_index = relation.schemaname.is_null()
            && text(relation.relname) == TABLE
            && !statement.concurrent
            && statement.idxname.is_null();
        found.has_tablespace = !statement.tableSpace.is_null();
        for cell in elements(statement.indexParams) {
            let key = read_key(&*cell.ptr_value.cast(), &mut found.names);
            found.keys.push(key);
        }
        for cell in elements(statement.indexIncludingParams) {
            read_key(&*cell.ptr_value.cast(), &mut found.names);
        }
        let mut condition = Walk::default();
        walk(statement.whereClause, (&raw mut condition).cast());
        found.names.append(&mut condition.names);
    }
}

/// # Safety
/// The element is of the raw parser.
unsafe fn read_key(element: &pg_sys::IndexElem, names: &mut Vec<Vec<String>>) -> Key {
    // SAFETY: an element has a name or an expression; its collation is a list of strings.
    unsafe {
        names.push(strings(element.collation));
        if !element.name.is_null() {
            return Key {
                columns: vec![text(element.name)],
                function: None,
            };
        }
        let mut expression = Walk::default();
        walk(element.expr, (&raw mut expression).cast());
        names.append(&mut expression.names);
        Key {
            columns: expression.columns,
            function: last_function(element.expr),
        }
    }
}

/// # Safety
/// The node is of the raw parser, or NULL.
unsafe fn last_function(node: *mut pg_sys::Node) -> Option<String> {
    // SAFETY: the node tag tells the type.
    unsafe {
        if node.is_null() || (*node).type_ != NodeTag::T_FuncCall {
            return None;
        }
        strings((*node.cast::<pg_sys::FuncCall>()).funcname).pop()
    }
}

/// What is met on the way through an expression.
#[derive(Default)]
struct Walk {
    columns: Vec<String>,
    names: Vec<Vec<String>>,
}

/// Visits a node and all below it.
unsafe extern "C-unwind" fn walk(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    if node.is_null() {
        return false;
    }
    // SAFETY: the context is the Walk that the visit began with; the node tag tells the type of each node, and names are
    // lists of strings, but for the stars among a column's.
    unsafe {
        let found = &mut *context.cast::<Walk>();
        match (*node).type_ {
            NodeTag::T_ColumnRef => {
                let parts = strings((*node.cast::<pg_sys::ColumnRef>()).fields);
                found.columns.extend(parts.into_iter().next_back());
            }
            NodeTag::T_FuncCall => found
                .names
                .push(strings((*node.cast::<pg_sys::FuncCall>()).funcname)),
            NodeTag::T_A_Expr => found
                .names
                .push(strings((*node.cast::<pg_sys::A_Expr>()).name)),
            NodeTag::T_TypeName => found
                .names
                .push(strings((*node.cast::<pg_sys::TypeName>()).names)),
            NodeTag::T_CollateClause => found
                .names
                .push(strings((*node.cast::<pg_sys::CollateClause>()).collname)),
            _ => (),
        }
        pg_sys::raw_expression_tree_walker(node, Some(walk), context)
    }
}

/// The strings of a list; other nodes, such as the star of a column, are left out.
///
/// # Safety
/// The list is one of nodes, or NULL.
unsafe fn strings(list: *const pg_sys::List) -> Vec<String> {
    // SAFETY: as promised by the caller; the node tag tells the type.
    unsafe {
        elements(list)
            .iter()
            .map(|cell| cell.ptr_value.cast::<pg_sys::Node>())
            .filter(|node| (**node).type_ == NodeTag::T_String)
            .map(|node| text((*node.cast::<pg_sys::String>()).sval))
            .collect()
    }
}

/// # Safety
/// A C string of the parser.
unsafe fn text(string: *const c_char) -> String {
    // SAFETY: as promised by the caller.
    unsafe { CStr::from_ptr(string) }
        .to_string_lossy()
        .into_owned()
}

/// The cells of a list of nodes.
///
/// # Safety
/// The list is one of pointers, or NULL.
unsafe fn elements<'a>(list: *const pg_sys::List) -> &'a [pg_sys::ListCell] {
    // SAFETY: an empty list is NULL; any other has `length` cells.
    unsafe {
        if list.is_null() {
            &[]
        } else {
            std::slice::from_raw_parts(
                (*list).elements,
                usize::try_from((*list).length).unwrap_or(0),
            )
        }
    }
}
