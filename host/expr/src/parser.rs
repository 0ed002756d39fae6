//! Tokens into a tree, by CEL's grammar. Every recursion and every level of the tree is counted against
//! [`DEPTH_MAX`], so that neither this nor what walks the tree later can exhaust the stack.

use crate::ast::{Expr, Method, Node, Relation};
use crate::error::Failure;
use crate::lexer::{Lexeme, Lexer, Symbol, Token};
use crate::limits::{DEPTH_MAX, NODES_MAX, SOURCE_BYTES_MAX};
use crate::numbers::Arithmetic;
use crate::{Constant, Problem};

/// Parses a whole source.
pub(crate) fn parse(source: &str) -> Parsed<Expr> {
    if source.len() > SOURCE_BYTES_MAX {
        return Err(Failure::new(0, Problem::TooLong(source.len())));
    }
    let mut lexer = Lexer::new(source);
    let next = lexer.next()?;
    let mut parser = Parser { source, lexer, next, depth: 0, nodes: 0 };
    let expr = parser.expression()?;
    if parser.next.token == Token::End { Ok(expr) } else { Err(parser.unexpected("an operator or the end")) }
}

/// Words that CEL keeps for itself; they are no field names unless in backquotes or after a dot.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

type Parsed<T> = Result<T, Box<Failure>>;

struct Parser<'s> {
    source: &'s str,
    lexer: Lexer<'s>,
    next: Lexeme<'s>,
    depth: usize,
    nodes: usize,
}

impl<'s> Parser<'s> {
    /// `or ? or : expression`, or just `or`.
    fn expression(&mut self) -> Parsed<Expr> {
        let at = self.next.at;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Failure::new(at, Problem::TooDeep));
        }
        let mut expr = self.disjunction()?;
        if self.take(Symbol::Question)? {
            let yes = self.disjunction()?;
            self.expect(Symbol::Colon, "`:` and the value for false")?;
            let no = self.expression()?;
            let height = 1 + expr.height.max(yes.height).max(no.height);
            expr = self.node(expr.at, height, Node::Choose(Box::new([expr, yes, no])))?;
        }
        self.depth -= 1;
        Ok(expr)
    }

    fn disjunction(&mut self) -> Parsed<Expr> {
        self.chain(Symbol::Or, Self::conjunction, Node::Or)
    }

    fn conjunction(&mut self) -> Parsed<Expr> {
        self.chain(Symbol::And, Self::relation, Node::And)
    }

    fn chain(
        &mut self,
        operator: Symbol,
        operand: fn(&mut Self) -> Parsed<Expr>,
        node: fn(Vec<Expr>) -> Node,
    ) -> Parsed<Expr> {
        let first = operand(self)?;
        if self.next.token != Token::Symbol(operator) {
            return Ok(first);
        }
        let (at, mut height) = (first.at, first.height);
        let mut operands = vec![first];
        while self.take(operator)? {
            let next = operand(self)?;
            height = height.max(next.height);
            operands.push(next);
        }
        self.node(at, height + 1, node(operands))
    }

    fn relation(&mut self) -> Parsed<Expr> {
        let mut left = self.sum()?;
        while let Some(relation) = relation(self.next.token) {
            self.advance()?;
            let right = self.sum()?;
            left = self.pair(left, right, |pair| Node::Relation(relation, pair))?;
        }
        Ok(left)
    }

    fn sum(&mut self) -> Parsed<Expr> {
        self.arithmetic(Self::product, |symbol| match symbol {
            Symbol::Plus => Some(Arithmetic::Add),
            Symbol::Minus => Some(Arithmetic::Subtract),
            _ => None,
        })
    }

    fn product(&mut self) -> Parsed<Expr> {
        self.arithmetic(Self::unary, |symbol| match symbol {
            Symbol::Star => Some(Arithmetic::Multiply),
            Symbol::Slash => Some(Arithmetic::Divide),
            Symbol::Percent => Some(Arithmetic::Remainder),
            _ => None,
        })
    }

    fn arithmetic(
        &mut self,
        operand: fn(&mut Self) -> Parsed<Expr>,
        operation: fn(Symbol) -> Option<Arithmetic>,
    ) -> Parsed<Expr> {
        let mut left = operand(self)?;
        loop {
            let Token::Symbol(symbol) = self.next.token else { return Ok(left) };
            let Some(found) = operation(symbol) else { return Ok(left) };
            self.advance()?;
            let right = operand(self)?;
            left = self.pair(left, right, |pair| Node::Arithmetic(found, pair))?;
        }
    }

    /// Any number of `!`, or of `-`, before a member. The last minus belongs to a number literal.
    fn unary(&mut self) -> Parsed<Expr> {
        let mut operators = Vec::new();
        while let Token::Symbol(symbol @ (Symbol::Not | Symbol::Minus)) = self.next.token {
            operators.push((self.next.at, symbol));
            if operators.len() > DEPTH_MAX {
                return Err(Failure::new(self.next.at, Problem::TooDeep));
            }
            self.advance()?;
        }
        let negative = matches!(operators.last(), Some((_, Symbol::Minus)))
            && matches!(self.next.token, Token::Int(_) | Token::UInt(_) | Token::Float(_));
        let sign_at = if negative { operators.pop().map(|(at, _)| at) } else { None };
        let mut expr = self.member(sign_at)?;
        for (at, operator) in operators.into_iter().rev() {
            let (height, inner) = (expr.height + 1, Box::new(expr));
            expr =
                self.node(at, height, if operator == Symbol::Not { Node::Not(inner) } else { Node::Negate(inner) })?;
        }
        Ok(expr)
    }

    /// A primary with selections and method calls behind it.
    fn member(&mut self, sign_at: Option<usize>) -> Parsed<Expr> {
        let mut expr = self.primary(sign_at)?;
        loop {
            let at = self.next.at;
            if self.take(Symbol::Dot)? {
                let (name, name_at) = self.selector()?;
                expr = if self.take(Symbol::OpenParen)? {
                    self.method(expr, name, name_at)?
                } else {
                    self.select(expr, name.to_owned(), at)?
                };
            } else if self.take(Symbol::OpenBracket)? {
                let key = self.key()?;
                expr = self.select(expr, key, at)?;
            } else if self.next.token == Token::Symbol(Symbol::OpenBrace) {
                return Err(Failure::new(at, NO_MAPS));
            } else {
                return Ok(expr);
            }
        }
    }

    fn selector(&mut self) -> Parsed<(&'s str, usize)> {
        match self.next.token {
            Token::Word("true" | "false" | "null" | "in") => {}
            Token::Word(name) | Token::Quoted(name) => return Ok((name, self.advance()?.at)),
            Token::Symbol(Symbol::Question) => return Err(Failure::new(self.next.at, NO_OPTIONALS)),
            _ => {}
        }
        Err(self.unexpected("a field name after the dot; put odd names in backquotes"))
    }

    fn key(&mut self) -> Parsed<String> {
        let at = self.next.at;
        let Token::Text(text) = self.next.token else {
            let instead = "write the key of an object as a text, as in a[\"odd key\"]; list elements have no path";
            return Err(Failure::not_supported(at, "an index that is no text is", instead));
        };
        let key = text.value().map_err(|problem| Failure::new(at, problem))?;
        if key.is_empty() {
            return Err(Failure::not_supported(at, "an empty key is", "paths have no way to write it"));
        }
        self.advance()?;
        self.expect(Symbol::CloseBracket, "`]`")?;
        Ok(key)
    }

    fn select(&mut self, expr: Expr, key: String, at: usize) -> Parsed<Expr> {
        let Node::Path(mut keys) = expr.node else {
            let instead = "write the field's path, as in source.ip";
            return Err(Failure::not_supported(at, "selecting from anything but a field is", instead));
        };
        keys.push(key);
        self.node(expr.at, keys.len(), Node::Path(keys))
    }

    fn method(&mut self, receiver: Expr, name: &str, at: usize) -> Parsed<Expr> {
        let method = match name {
            "contains" => Method::Contains,
            "startsWith" => Method::StartsWith,
            "endsWith" => Method::EndsWith,
            "matches" => Method::Matches,
            "size" => {
                self.expect(Symbol::CloseParen, "`)`, since size() takes nothing here")?;
                return self.wrap(receiver, Node::Size);
            }
            _ => return Err(unknown_function(at, name)),
        };
        let argument = self.expression()?;
        self.expect(Symbol::CloseParen, "`)` after one argument")?;
        self.pair(receiver, argument, |pair| Node::Method(method, pair))
    }

    fn primary(&mut self, sign_at: Option<usize>) -> Parsed<Expr> {
        let at = sign_at.unwrap_or(self.next.at);
        match self.next.token {
            Token::Int(magnitude) => match signed(magnitude, sign_at.is_some()) {
                Some(value) => self.literal(at, Constant::Int(value)),
                None => Err(Failure::new(at, Problem::BadNumber("a signed 64-bit integer"))),
            },
            Token::UInt(_) if sign_at.is_some() => {
                Err(Failure::new(at, Problem::BadNumber("an unsigned integer below zero")))
            }
            Token::UInt(value) => self.literal(at, Constant::UInt(value)),
            Token::Float(value) => self.literal(at, Constant::Float(if sign_at.is_some() { -value } else { value })),
            Token::Text(text) => {
                let text = text.value().map_err(|problem| Failure::new(at, problem))?;
                self.literal(at, Constant::Text(text.into()))
            }
            Token::Quoted(name) => {
                self.advance()?;
                self.path(at, name)
            }
            Token::Word(word) => self.word(at, word),
            Token::Symbol(Symbol::OpenParen) => {
                self.advance()?;
                let expr = self.expression()?;
                self.expect(Symbol::CloseParen, "`)`")?;
                Ok(expr)
            }
            Token::Symbol(Symbol::OpenBracket) => self.list(at),
            Token::Symbol(Symbol::OpenBrace) => Err(Failure::new(at, NO_MAPS)),
            // CEL's way to name something from the outermost scope; there is only one scope here.
            Token::Symbol(Symbol::Dot) => {
                self.advance()?;
                let (name, _) = self.selector()?;
                self.path(at, name)
            }
            _ => Err(self.unexpected("a field, a literal or `(`")),
        }
    }

    fn word(&mut self, at: usize, word: &'s str) -> Parsed<Expr> {
        match word {
            "true" => self.literal(at, Constant::Bool(true)),
            "false" => self.literal(at, Constant::Bool(false)),
            "null" => self.literal(at, Constant::Null),
            "in" => Err(self.unexpected("a field or a literal before `in`")),
            _ if RESERVED.contains(&word) => Err(Failure::new(at, Problem::Reserved(word.to_owned()))),
            _ => {
                self.advance()?;
                if self.take(Symbol::OpenParen)? { self.call(at, word) } else { self.path(at, word) }
            }
        }
    }

    fn path(&mut self, at: usize, name: &str) -> Parsed<Expr> {
        self.node(at, 1, Node::Path(vec![name.to_owned()]))
    }

    fn call(&mut self, at: usize, name: &str) -> Parsed<Expr> {
        if !matches!(name, "has" | "size") {
            return Err(unknown_function(at, name));
        }
        let argument = self.expression()?;
        self.expect(Symbol::CloseParen, "`)` after one argument")?;
        match (name, argument.node) {
            ("has", Node::Path(keys)) => self.node(at, argument.height, Node::Has(keys)),
            ("has", _) => {
                let found = "a value".to_owned();
                Err(Failure::new(argument.at, Problem::Unexpected { expected: "a field inside has()", found }))
            }
            (_, node) => self.wrap(Expr { node, at: argument.at, height: argument.height }, Node::Size),
        }
    }

    fn list(&mut self, at: usize) -> Parsed<Expr> {
        self.advance()?;
        let mut items: Vec<Expr> = Vec::new();
        let mut height = 0;
        while !self.take(Symbol::CloseBracket)? {
            if self.next.token == Token::Symbol(Symbol::Question) {
                return Err(Failure::new(self.next.at, NO_OPTIONALS));
            }
            let item = self.expression()?;
            height = height.max(item.height);
            items.push(item);
            if !self.take(Symbol::Comma)? {
                self.expect(Symbol::CloseBracket, "`,` or `]`")?;
                break;
            }
        }
        self.node(at, height + 1, Node::List(items))
    }

    fn literal(&mut self, at: usize, constant: Constant) -> Parsed<Expr> {
        self.advance()?;
        self.node(at, 1, Node::Literal(constant))
    }

    fn wrap(&mut self, inner: Expr, node: fn(Box<Expr>) -> Node) -> Parsed<Expr> {
        self.node(inner.at, inner.height + 1, node(Box::new(inner)))
    }

    fn pair(&mut self, left: Expr, right: Expr, node: impl FnOnce(Box<[Expr; 2]>) -> Node) -> Parsed<Expr> {
        let height = 1 + left.height.max(right.height);
        self.node(left.at, height, node(Box::new([left, right])))
    }

    fn node(&mut self, at: usize, height: usize, node: Node) -> Parsed<Expr> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(Failure::new(at, Problem::TooManyNodes));
        }
        if height > DEPTH_MAX {
            return Err(Failure::new(at, Problem::TooDeep));
        }
        Ok(Expr { at, height, node })
    }

    /// Moves on and answers the token that was next.
    fn advance(&mut self) -> Parsed<Lexeme<'s>> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    fn take(&mut self, symbol: Symbol) -> Parsed<bool> {
        let found = self.next.token == Token::Symbol(symbol);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, symbol: Symbol, expected: &'static str) -> Parsed<()> {
        if self.take(symbol)? { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    /// The failure that the next token is.
    #[cold]
    fn unexpected(&self, expected: &'static str) -> Box<Failure> {
        let at = self.next.at;
        let shown = match self.next.token {
            Token::End => return Failure::new(at, Problem::Unexpected { expected, found: "the end".to_owned() }),
            Token::Text(_) => return Failure::new(at, Problem::Unexpected { expected, found: "a text".to_owned() }),
            Token::Word(word) => word.len().min(32),
            _ => 1,
        };
        let found = format!("`{}`", self.source.get(at..at + shown).unwrap_or_default());
        Failure::new(at, Problem::Unexpected { expected, found })
    }
}

const NO_MAPS: Problem =
    Problem::NotSupported { what: "maps and messages are", instead: "compare their fields one by one" };

const NO_OPTIONALS: Problem =
    Problem::NotSupported { what: "optionals are", instead: "ask with has(), as in has(a.b) && a.b > 0" };

#[cold]
fn unknown_function(at: usize, name: &str) -> Box<Failure> {
    match name {
        "all" | "exists" | "exists_one" | "map" | "filter" => {
            Failure::not_supported(at, "macros other than has() are", "use `in` to look into a list")
        }
        _ => Failure::new(at, Problem::UnknownFunction(name.get(..64).unwrap_or(name).to_owned())),
    }
}

fn signed(magnitude: u64, negative: bool) -> Option<i64> {
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

fn relation(token: Token<'_>) -> Option<Relation> {
    match token {
        Token::Symbol(Symbol::Equal) => Some(Relation::Equal),
        Token::Symbol(Symbol::NotEqual) => Some(Relation::NotEqual),
        Token::Symbol(Symbol::Less) => Some(Relation::Less),
        Token::Symbol(Symbol::LessOrEqual) => Some(Relation::LessOrEqual),
        Token::Symbol(Symbol::Greater) => Some(Relation::Greater),
        Token::Symbol(Symbol::GreaterOrEqual) => Some(Relation::GreaterOrEqual),
        Token::Word("in") => Some(Relation::In),
        _ => None,
    }
}
