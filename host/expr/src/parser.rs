//! Tokens into a tree, by CEL's grammar. Every recursion and every level of the tree is counted against
//! [`DEPTH_MAX`], so that neither this nor what walks the tree later can exhaust the stack.

use crate::ast::{Expr, Method, Node, Relation};
use crate::error::{Failure, Refusal, Refused};
use crate::lexer::{Lexeme, Lexer, Symbol, Token};
use crate::limits::{DEPTH_MAX, NODES_MAX, SOURCE_BYTES_MAX};
use crate::numbers::Arithmetic;
use crate::{Constant, Problem};

/// Parses a whole source.
pub(crate) fn parse(source: &str) -> Result<Box<Expr>, Box<Failure>> {
    if source.len() > SOURCE_BYTES_MAX {
        return Err(Failure::new(0, Problem::TooLong(source.len())));
    }
    let next = Lexeme { at: 0, token: Token::End };
    let mut parser =
        Parser { source, lexer: Lexer::new(source), next, depth: 0, nodes: 0, refusal: Refusal::default() };
    parser.whole().map_err(|refused| parser.refusal.failure(refused))
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

type Parsed<T> = Result<T, Refused>;

struct Parser<'s> {
    source: &'s str,
    lexer: Lexer<'s>,
    next: Lexeme<'s>,
    depth: usize,
    nodes: usize,
    refusal: Refusal,
}

/// An operator between two operands.
enum Operator {
    Relation(Relation),
    Arithmetic(Arithmetic),
}

/// How tightly operators bind.
const RELATION: u8 = 0;
const SUM: u8 = 1;
const PRODUCT: u8 = 2;

impl<'s> Parser<'s> {
    fn whole(&mut self) -> Parsed<Box<Expr>> {
        self.advance()?;
        let expr = self.expression()?;
        if self.next.token == Token::End { Ok(expr) } else { Err(self.unexpected("an operator or the end")) }
    }

    /// `or ? or : expression`, or just `or`.
    fn expression(&mut self) -> Parsed<Box<Expr>> {
        let at = self.next.at;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.refusal.at(at, Problem::TooDeep));
        }
        let mut expr = self.disjunction()?;
        if self.take(Symbol::Question)? {
            let yes = self.disjunction()?;
            self.expect(Symbol::Colon, "`:` and the value for false")?;
            let no = self.expression()?;
            let height = 1 + expr.height.max(yes.height).max(no.height);
            expr = self.node(expr.at, height, Node::Choose(expr, yes, no))?;
        }
        self.depth -= 1;
        Ok(expr)
    }

    fn disjunction(&mut self) -> Parsed<Box<Expr>> {
        self.chain(Symbol::Or, Self::conjunction, Node::Or)
    }

    fn conjunction(&mut self) -> Parsed<Box<Expr>> {
        self.chain(Symbol::And, Self::relation, Node::And)
    }

    fn relation(&mut self) -> Parsed<Box<Expr>> {
        self.pairs(RELATION)
    }

    fn chain(
        &mut self,
        operator: Symbol,
        operand: fn(&mut Self) -> Parsed<Box<Expr>>,
        node: fn(Vec<Expr>) -> Node,
    ) -> Parsed<Box<Expr>> {
        let first = operand(self)?;
        if self.next.token != Token::Symbol(operator) {
            return Ok(first);
        }
        let (at, mut height) = (first.at, first.height);
        let mut operands = vec![*first];
        while self.take(operator)? {
            let next = operand(self)?;
            height = height.max(next.height);
            operands.push(*next);
        }
        self.node(at, height + 1, node(operands))
    }

    /// Operands of operators that bind as tightly as this, from left to right: relations, sums, products.
    fn pairs(&mut self, binding: u8) -> Parsed<Box<Expr>> {
        let mut left = self.operand(binding)?;
        while let Some((found, operator)) = operator(self.next.token)
            && found == binding
        {
            self.advance()?;
            let right = self.operand(binding)?;
            let (at, height) = (left.at, 1 + left.height.max(right.height));
            let node = match operator {
                Operator::Relation(relation) => Node::Relation(relation, left, right),
                Operator::Arithmetic(arithmetic) => Node::Arithmetic(arithmetic, left, right),
            };
            left = self.node(at, height, node)?;
        }
        Ok(left)
    }

    fn operand(&mut self, binding: u8) -> Parsed<Box<Expr>> {
        if binding == PRODUCT { self.unary() } else { self.pairs(binding + 1) }
    }

    /// Any number of `!`, or of `-`, before a member. The last minus belongs to a number literal.
    fn unary(&mut self) -> Parsed<Box<Expr>> {
        let mut operators = Vec::new();
        while let Token::Symbol(symbol @ (Symbol::Not | Symbol::Minus)) = self.next.token {
            operators.push((self.next.at, symbol));
            if operators.len() > DEPTH_MAX {
                return Err(self.refusal.at(self.next.at, Problem::TooDeep));
            }
            self.advance()?;
        }
        let negative = matches!(operators.last(), Some((_, Symbol::Minus)))
            && matches!(self.next.token, Token::Int(_) | Token::UInt(_) | Token::Float(_));
        let sign_at = if negative { operators.pop().map(|(at, _)| at) } else { None };
        let mut expr = self.member(sign_at)?;
        for (at, operator) in operators.into_iter().rev() {
            let height = expr.height + 1;
            expr = self.node(at, height, if operator == Symbol::Not { Node::Not(expr) } else { Node::Negate(expr) })?;
        }
        Ok(expr)
    }

    /// A primary with selections and method calls behind it.
    fn member(&mut self, sign_at: Option<usize>) -> Parsed<Box<Expr>> {
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
                return Err(self.refusal.at(at, NO_MAPS));
            } else {
                return Ok(expr);
            }
        }
    }

    fn selector(&mut self) -> Parsed<(&'s str, usize)> {
        match self.next.token {
            Token::Word("true" | "false" | "null" | "in") => {}
            Token::Word(name) | Token::Quoted(name) => {
                let at = self.next.at;
                self.advance()?;
                return Ok((name, at));
            }
            Token::Symbol(Symbol::Question) => return Err(self.refusal.at(self.next.at, NO_OPTIONALS)),
            _ => {}
        }
        Err(self.unexpected("a field name after the dot; put odd names in backquotes"))
    }

    fn key(&mut self) -> Parsed<String> {
        let at = self.next.at;
        let Token::Text(text) = self.next.token else {
            let instead = "write the key of an object as a text, as in a[\"odd key\"]; list elements have no path";
            return Err(self.refusal.not_supported(at, "an index that is no text is", instead));
        };
        let key = text.value().map_err(|problem| self.refusal.at(at, problem))?;
        if key.is_empty() {
            return Err(self.refusal.not_supported(at, "an empty key is", "paths have no way to write it"));
        }
        self.advance()?;
        self.expect(Symbol::CloseBracket, "`]`")?;
        Ok(key)
    }

    fn select(&mut self, mut expr: Box<Expr>, key: String, at: usize) -> Parsed<Box<Expr>> {
        let Node::Path(keys) = &mut expr.node else {
            let instead = "write the field's path, as in source.ip";
            return Err(self.refusal.not_supported(at, "selecting from anything but a field is", instead));
        };
        keys.push(key);
        expr.height = keys.len();
        self.count(expr.at, expr.height)?;
        Ok(expr)
    }

    fn method(&mut self, receiver: Box<Expr>, name: &str, at: usize) -> Parsed<Box<Expr>> {
        let method = match name {
            "contains" => Method::Contains,
            "startsWith" => Method::StartsWith,
            "endsWith" => Method::EndsWith,
            "matches" => Method::Matches,
            "size" => {
                self.expect(Symbol::CloseParen, "`)`, since size() takes nothing here")?;
                return self.size(receiver);
            }
            _ => return Err(self.unknown_function(at, name)),
        };
        let argument = self.expression()?;
        self.expect(Symbol::CloseParen, "`)` after one argument")?;
        let height = 1 + receiver.height.max(argument.height);
        self.node(receiver.at, height, Node::Method(method, receiver, argument))
    }

    fn primary(&mut self, sign_at: Option<usize>) -> Parsed<Box<Expr>> {
        let at = sign_at.unwrap_or(self.next.at);
        match self.next.token {
            Token::Int(magnitude) => match signed(magnitude, sign_at.is_some()) {
                Some(value) => self.literal(at, Constant::Int(value)),
                None => Err(self.refusal.at(at, Problem::BadNumber("a signed 64-bit integer"))),
            },
            Token::UInt(_) if sign_at.is_some() => {
                Err(self.refusal.at(at, Problem::BadNumber("an unsigned integer below zero")))
            }
            Token::UInt(value) => self.literal(at, Constant::UInt(value)),
            Token::Float(value) => self.literal(at, Constant::Float(if sign_at.is_some() { -value } else { value })),
            Token::Text(text) => {
                let text = text.value().map_err(|problem| self.refusal.at(at, problem))?;
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
            Token::Symbol(Symbol::OpenBrace) => Err(self.refusal.at(at, NO_MAPS)),
            // CEL's way to name something from the outermost scope; there is only one scope here.
            Token::Symbol(Symbol::Dot) => {
                self.advance()?;
                let (name, _) = self.selector()?;
                self.path(at, name)
            }
            _ => Err(self.unexpected("a field, a literal or `(`")),
        }
    }

    fn word(&mut self, at: usize, word: &'s str) -> Parsed<Box<Expr>> {
        match word {
            "true" => self.literal(at, Constant::Bool(true)),
            "false" => self.literal(at, Constant::Bool(false)),
            "null" => self.literal(at, Constant::Null),
            "in" => Err(self.unexpected("a field or a literal before `in`")),
            _ if RESERVED.contains(&word) => Err(self.refusal.at(at, Problem::Reserved(word.to_owned()))),
            _ => {
                self.advance()?;
                if self.take(Symbol::OpenParen)? { self.call(at, word) } else { self.path(at, word) }
            }
        }
    }

    fn path(&mut self, at: usize, name: &str) -> Parsed<Box<Expr>> {
        self.node(at, 1, Node::Path(vec![name.to_owned()]))
    }

    fn call(&mut self, at: usize, name: &str) -> Parsed<Box<Expr>> {
        if !matches!(name, "has" | "size") {
            return Err(self.unknown_function(at, name));
        }
        let argument = self.expression()?;
        self.expect(Symbol::CloseParen, "`)` after one argument")?;
        match (name, argument.node) {
            ("has", Node::Path(keys)) => self.node(at, argument.height, Node::Has(keys)),
            ("has", _) => {
                let found = "a value".to_owned();
                Err(self.refusal.at(argument.at, Problem::Unexpected { expected: "a field inside has()", found }))
            }
            (_, node) => self.size(Box::new(Expr { node, ..*argument })),
        }
    }

    fn list(&mut self, at: usize) -> Parsed<Box<Expr>> {
        self.advance()?;
        let mut items: Vec<Expr> = Vec::new();
        let mut height = 0;
        while !self.take(Symbol::CloseBracket)? {
            if self.next.token == Token::Symbol(Symbol::Question) {
                return Err(self.refusal.at(self.next.at, NO_OPTIONALS));
            }
            let item = self.expression()?;
            height = height.max(item.height);
            items.push(*item);
            if !self.take(Symbol::Comma)? {
                self.expect(Symbol::CloseBracket, "`,` or `]`")?;
                break;
            }
        }
        self.node(at, height + 1, Node::List(items))
    }

    fn literal(&mut self, at: usize, constant: Constant) -> Parsed<Box<Expr>> {
        self.advance()?;
        self.node(at, 1, Node::Literal(constant))
    }

    fn size(&mut self, inner: Box<Expr>) -> Parsed<Box<Expr>> {
        self.node(inner.at, inner.height + 1, Node::Size(inner))
    }

    fn node(&mut self, at: usize, height: usize, node: Node) -> Parsed<Box<Expr>> {
        self.count(at, height)?;
        Ok(Box::new(Expr { at, height, node }))
    }

    fn count(&mut self, at: usize, height: usize) -> Parsed<()> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(self.refusal.at(at, Problem::TooManyNodes));
        }
        if height > DEPTH_MAX {
            return Err(self.refusal.at(at, Problem::TooDeep));
        }
        Ok(())
    }

    /// Moves on to the next token.
    fn advance(&mut self) -> Parsed<()> {
        match self.lexer.next() {
            Ok(next) => {
                self.next = next;
                Ok(())
            }
            Err(failure) => Err(self.refusal.set(failure)),
        }
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

    /// Refuses the next token.
    #[cold]
    fn unexpected(&mut self, expected: &'static str) -> Refused {
        let at = self.next.at;
        let shown = match self.next.token {
            Token::End => return self.refusal.at(at, Problem::Unexpected { expected, found: "the end".to_owned() }),
            Token::Text(_) => return self.refusal.at(at, Problem::Unexpected { expected, found: "a text".to_owned() }),
            Token::Word(word) => word.len().min(32),
            _ => 1,
        };
        let found = format!("`{}`", self.source.get(at..at + shown).unwrap_or_default());
        self.refusal.at(at, Problem::Unexpected { expected, found })
    }

    #[cold]
    fn unknown_function(&mut self, at: usize, name: &str) -> Refused {
        match name {
            "all" | "exists" | "exists_one" | "map" | "filter" => {
                self.refusal.not_supported(at, "macros other than has() are", "use `in` to look into a list")
            }
            _ => self.refusal.at(at, Problem::UnknownFunction(name.get(..64).unwrap_or(name).to_owned())),
        }
    }
}

const NO_MAPS: Problem =
    Problem::NotSupported { what: "maps and messages are", instead: "compare their fields one by one" };

const NO_OPTIONALS: Problem =
    Problem::NotSupported { what: "optionals are", instead: "ask with has(), as in has(a.b) && a.b > 0" };

fn signed(magnitude: u64, negative: bool) -> Option<i64> {
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// The operator that a token is, and how tightly it binds.
fn operator(token: Token<'_>) -> Option<(u8, Operator)> {
    let relation = |relation| Some((RELATION, Operator::Relation(relation)));
    let sum = |operation| Some((SUM, Operator::Arithmetic(operation)));
    let product = |operation| Some((PRODUCT, Operator::Arithmetic(operation)));
    match token {
        Token::Symbol(Symbol::Equal) => relation(Relation::Equal),
        Token::Symbol(Symbol::NotEqual) => relation(Relation::NotEqual),
        Token::Symbol(Symbol::Less) => relation(Relation::Less),
        Token::Symbol(Symbol::LessOrEqual) => relation(Relation::LessOrEqual),
        Token::Symbol(Symbol::Greater) => relation(Relation::Greater),
        Token::Symbol(Symbol::GreaterOrEqual) => relation(Relation::GreaterOrEqual),
        Token::Word("in") => relation(Relation::In),
        Token::Symbol(Symbol::Plus) => sum(Arithmetic::Add),
        Token::Symbol(Symbol::Minus) => sum(Arithmetic::Subtract),
        Token::Symbol(Symbol::Star) => product(Arithmetic::Multiply),
        Token::Symbol(Symbol::Slash) => product(Arithmetic::Divide),
        Token::Symbol(Symbol::Percent) => product(Arithmetic::Remainder),
        _ => None,
    }
}
