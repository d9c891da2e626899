//! The formula of a catalogue's plural forms: C's expressions over `n`. GNU gettext manual, "Additional functions for plural forms".

use alloc::boxed::Box;

/// How deep a formula may nest.
const DEPTH: u32 = 100;

/// An operator of two operands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    Greater,
    LessOrEqual,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// The binary operators, longer ones first, with how tightly they bind.
const OPERATORS: [(&[u8], u32, Operator); 13] = [
    (b"||", 1, Operator::Or),
    (b"&&", 2, Operator::And),
    (b"==", 3, Operator::Equal),
    (b"!=", 3, Operator::Unequal),
    (b"<=", 4, Operator::LessOrEqual),
    (b">=", 4, Operator::GreaterOrEqual),
    (b"<", 4, Operator::Less),
    (b">", 4, Operator::Greater),
    (b"+", 5, Operator::Add),
    (b"-", 5, Operator::Subtract),
    (b"*", 6, Operator::Multiply),
    (b"/", 6, Operator::Divide),
    (b"%", 6, Operator::Remainder),
];

/// An expression.
#[derive(Debug)]
enum Expression {
    Count,
    Number(u64),
    Not(Box<Expression>),
    Binary(Operator, Box<[Expression; 2]>),
    Choice(Box<[Expression; 3]>),
}

/// Which of a message's forms stands for a count.
#[derive(Debug)]
pub struct Forms {
    count: u64,
    expression: Expression,
}

impl Forms {
    /// One thing, or any other number of things: what holds for English, and for a catalogue that says nothing.
    pub fn germanic() -> Forms {
        let sides = [Expression::Count, Expression::Number(1)];
        Forms { count: 2, expression: Expression::Binary(Operator::Unequal, Box::new(sides)) }
    }

    /// Reads the entry of a catalogue's header: `Plural-Forms: nplurals=N; plural=EXPRESSION;`.
    pub fn of_header(header: &[u8]) -> Forms {
        Forms::read(header).unwrap_or_else(Forms::germanic)
    }

    fn read(header: &[u8]) -> Option<Forms> {
        let mut count = Reader { text: behind(header, b"nplurals=")? };
        count.skip();
        let Expression::Number(count) = count.primary(DEPTH)? else { return None };
        let mut reader = Reader { text: behind(header, b"plural=")? };
        Some(Forms { count, expression: reader.choice(DEPTH)? })
    }

    /// The form for a count; the first, if the formula gives none that exists or divides by zero.
    pub fn pick(&self, n: u64) -> usize {
        match value(&self.expression, n) {
            Some(form) if form < self.count => form as usize,
            _ => 0,
        }
    }
}

/// What follows a word.
fn behind<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let at = text.windows(word.len()).position(|window| window == word)?;
    Some(&text[at + word.len()..])
}

fn value(expression: &Expression, n: u64) -> Option<u64> {
    Some(match expression {
        Expression::Count => n,
        Expression::Number(number) => *number,
        Expression::Not(inner) => u64::from(value(inner, n)? == 0),
        Expression::Choice(parts) => value(if value(&parts[0], n)? != 0 { &parts[1] } else { &parts[2] }, n)?,
        Expression::Binary(Operator::Or, sides) => u64::from(value(&sides[0], n)? != 0 || value(&sides[1], n)? != 0),
        Expression::Binary(Operator::And, sides) => u64::from(value(&sides[0], n)? != 0 && value(&sides[1], n)? != 0),
        Expression::Binary(operator, sides) => {
            let (left, right) = (value(&sides[0], n)?, value(&sides[1], n)?);
            match operator {
                Operator::Or | Operator::And => return None,
                Operator::Equal => u64::from(left == right),
                Operator::Unequal => u64::from(left != right),
                Operator::Less => u64::from(left < right),
                Operator::Greater => u64::from(left > right),
                Operator::LessOrEqual => u64::from(left <= right),
                Operator::GreaterOrEqual => u64::from(left >= right),
                Operator::Add => left.wrapping_add(right),
                Operator::Subtract => left.wrapping_sub(right),
                Operator::Multiply => left.wrapping_mul(right),
                Operator::Divide => left.checked_div(right)?,
                Operator::Remainder => left.checked_rem(right)?,
            }
        }
    })
}

struct Reader<'a> {
    text: &'a [u8],
}

impl Reader<'_> {
    fn skip(&mut self) {
        let blanks = self.text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        self.text = &self.text[blanks..];
    }

    fn take(&mut self, word: &[u8]) -> Option<()> {
        self.skip();
        self.text = self.text.strip_prefix(word)?;
        Some(())
    }

    fn choice(&mut self, depth: u32) -> Option<Expression> {
        let depth = depth.checked_sub(1)?;
        let condition = self.binary(1, depth)?;
        if self.take(b"?").is_none() {
            return Some(condition);
        }
        let yes = self.choice(depth)?;
        self.take(b":")?;
        let no = self.choice(depth)?;
        Some(Expression::Choice(Box::new([condition, yes, no])))
    }

    fn binary(&mut self, least: u32, depth: u32) -> Option<Expression> {
        let mut depth = depth.checked_sub(1)?;
        let mut left = self.primary(depth)?;
        loop {
            self.skip();
            let found = OPERATORS.iter().find(|(word, _, _)| self.text.starts_with(word));
            let Some(&(word, level, operator)) = found.filter(|(_, level, _)| *level >= least) else {
                return Some(left);
            };
            // A chain nests to the left, and its evaluation goes as deep.
            depth = depth.checked_sub(1)?;
            self.text = &self.text[word.len()..];
            let right = self.binary(level + 1, depth)?;
            left = Expression::Binary(operator, Box::new([left, right]));
        }
    }

    fn primary(&mut self, depth: u32) -> Option<Expression> {
        let depth = depth.checked_sub(1)?;
        self.skip();
        match *self.text.first()? {
            b'n' => {
                self.text = &self.text[1..];
                Some(Expression::Count)
            }
            b'!' => {
                self.text = &self.text[1..];
                Some(Expression::Not(Box::new(self.primary(depth)?)))
            }
            b'(' => {
                self.text = &self.text[1..];
                let inner = self.choice(depth)?;
                self.take(b")")?;
                Some(inner)
            }
            b'0'..=b'9' => {
                let len = self.text.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let (digits, rest) = self.text.split_at(len);
                self.text = rest;
                let add = |value: u64, digit: &u8| value.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
                Some(Expression::Number(digits.iter().fold(0, add)))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_of_real_languages() {
        type Case = (&'static str, fn(u64) -> usize);
        let cases: [Case; 5] = [
            ("nplurals=1; plural=0;", |_| 0),
            ("nplurals=2; plural=(n > 1);", |n| usize::from(n > 1)),
            (
                "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);",
                |n| match (n % 10, n % 100) {
                    (1, h) if h != 11 => 0,
                    (2..=4, h) if !(10..20).contains(&h) => 1,
                    _ => 2,
                },
            ),
            ("nplurals=4; plural=(n==1) ? 0 : (n==2) ? 1 : n == 3 ? 2 : 3;", |n| {
                (n.clamp(1, 4) - 1) as usize + if n == 0 { 3 } else { 0 }
            }),
            ("nplurals=2; plural=!(n-1+2*3/6-1==0);", |n| usize::from(n != 1)),
        ];
        for (text, wanted) in cases {
            let forms = Forms::of_header(format!("X: y\nPlural-Forms: {text}\n").as_bytes());
            for n in 0..300 {
                assert_eq!(forms.pick(n), wanted(n), "{text} {n}");
            }
        }
    }

    #[test]
    fn what_is_no_formula_is_germanic() {
        let deep = format!("nplurals=2; plural={}n{};", "(".repeat(100_000), ")".repeat(100_000));
        let long = format!("nplurals=2; plural=n{};", "+n".repeat(100_000));
        for text in
            ["", "nplurals=2", "nplurals=x; plural=n", "nplurals=2; plural=(n", "nplurals=2; plural=n?1;", &deep, &long]
        {
            let forms = Forms::of_header(text.as_bytes());
            assert_eq!([forms.pick(0), forms.pick(1), forms.pick(2)], [1, 0, 1], "{}", &text[..text.len().min(40)]);
        }
        assert_eq!(Forms::of_header(b"nplurals=2; plural=n%0;").pick(5), 0);
        assert_eq!(Forms::of_header(b"nplurals=2; plural=7;").pick(5), 0);
    }
}
