//! Column values: from an event to a typed cell.
