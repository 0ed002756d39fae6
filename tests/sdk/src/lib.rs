//! Tests of the SDK as authors meet it: what it lets them name, shows them, and tells them when it is used wrongly.
