//! A small text model in this process, from a GGUF file with ChatML turns: one answer, held to a JSON schema token by token.

use apportion_model::gguf::{GgufError, GgufFile, Llama, State, Token, Tokenizer};
use llguidance::{
    Matcher, ParserFactory,
    api::TopLevelGrammar,
    toktrie::{TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv},
};
use serde_json::{Value, json};
use std::{
    cell::RefCell,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// Tokens read between two looks at the clock.
const STRIDE: usize = 64;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] GgufError),
    /// The file speaks in another way.
    #[error("the model has no token {0}: only models with ChatML turns (<|im_start|>, <|im_end|>) can be asked")]
    Template(&'static str),
    /// The schema cannot be followed with these tokens.
    #[error("the schema cannot be followed: {0}")]
    Schema(String),
    /// It took too long.
    #[error("no whole answer within {timeout_s} s: take a smaller model, or raise --llm-timeout")]
    Timeout {
        /// The limit, seconds.
        timeout_s: u64,
    },
    /// The question is too long for the model, or the answer does not end.
    #[error("question and answer have more than the {0} tokens that are allowed")]
    Length(usize),
}

/// A model that can be asked.
pub struct LocalModel {
    model: Llama,
    tokenizer: Arc<Tokenizer>,
    turns: Turns,
    factory: ParserFactory,
    /// What was read last, so that the same task is read once for many sentences.
    read: RefCell<(Vec<Token>, State)>,
}

/// The control tokens around a turn.
#[derive(Clone, Copy)]
struct Turns {
    begin: Token,
    end: Token,
}

/// The tokens as llguidance wants them.
struct Tokens {
    trie: TokTrie,
    tokenizer: Arc<Tokenizer>,
}

impl TokenizerEnv for Tokens {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }
    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        self.trie.tokenize_with_greedy_fallback(bytes, |text| self.tokenizer.encode(text))
    }
}

impl LocalModel {
    /// Loads a model.
    ///
    /// # Errors
    /// [`LocalError`].
    pub fn open(path: &Path) -> Result<Self, LocalError> {
        let mut file = GgufFile::open(path)?;
        let tokenizer = Arc::new(Tokenizer::load(&file)?);
        let control = |name: &'static str| tokenizer.control(name).ok_or(LocalError::Template(name));
        let turns = Turns { begin: control("<|im_start|>")?, end: control("<|im_end|>")? };
        let model = Llama::load(&mut file)?;
        if tokenizer.len() != model.vocabulary() {
            let what = format!("{} tokens for {} rows of the embedding", tokenizer.len(), model.vocabulary());
            return Err(GgufError::Format(what).into());
        }
        let mut factory = ParserFactory::new_simple(&tokens(&tokenizer, turns)).map_err(schema_error)?;
        factory.quiet();
        Ok(Self { model, tokenizer, turns, factory, read: RefCell::default() })
    }

    /// The likeliest answer in the schema.
    ///
    /// # Errors
    /// [`LocalError`].
    pub fn answer(
        &self,
        task: &str,
        sentence: &str,
        schema: &Value,
        most_tokens: usize,
        timeout: Duration,
    ) -> Result<String, LocalError> {
        let mut matcher = self.matcher(schema)?;
        // What the schema forces is written without asking the model.
        let mut answer = matcher.consume_ff_tokens();
        let mut next = self.prompt(task, sentence);
        next.extend(&answer);
        let end = Instant::now() + timeout;
        while answer.len() < most_tokens {
            let logits = self.read_on(&next, end, timeout)?;
            let mask = matcher.compute_mask_or_eos().map_err(schema_error)?;
            let allowed = (0..).zip(&logits).filter(|(token, _)| mask.is_allowed(*token));
            let best = allowed.max_by(|a, b| a.1.total_cmp(b.1)).map(|(token, _)| token);
            let best = best.ok_or_else(|| LocalError::Schema("no token fits".to_owned()))?;
            if best == self.turns.end {
                return Ok(self.tokenizer.decode(&answer));
            }
            matcher.consume_token(best).map_err(schema_error)?;
            next = vec![best];
            next.extend(matcher.consume_ff_tokens());
            answer.extend(&next);
            if matcher.is_stopped() {
                return Ok(self.tokenizer.decode(&answer));
            }
        }
        Err(LocalError::Length(most_tokens))
    }

    /// The likeliest tokens after a turn, held to nothing: for measuring what the schema costs.
    ///
    /// # Errors
    /// [`LocalError`].
    pub fn continue_freely(&self, task: &str, sentence: &str, tokens: usize) -> Result<usize, LocalError> {
        let (mut next, timeout) = (self.prompt(task, sentence), Duration::from_secs(3_600));
        for _ in 0..tokens {
            let logits = self.read_on(&next, Instant::now() + timeout, timeout)?;
            next = vec![(0..).zip(&logits).max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(token, _)| token)];
        }
        Ok(tokens)
    }

    /// Tokens of a text.
    #[must_use]
    pub fn count(&self, text: &str) -> usize {
        self.tokenizer.encode(text).len()
    }

    fn matcher(&self, schema: &Value) -> Result<Matcher, LocalError> {
        let mut schema = schema.clone();
        // Without this blanks could go on for ever.
        schema["x-guidance"] = json!({ "whitespace_flexible": false });
        let parser = self.factory.create_parser(TopLevelGrammar::from_json_schema(schema));
        Ok(Matcher::new(Ok(parser.map_err(schema_error)?)))
    }

    fn prompt(&self, task: &str, sentence: &str) -> Vec<Token> {
        let Turns { begin, end } = self.turns;
        let text = |text: &str| self.tokenizer.encode(text);
        let mut prompt = Vec::new();
        for (who, said) in [("system", task), ("user", sentence)] {
            prompt.push(begin);
            prompt.extend(text(&format!("{who}\n{said}")));
            prompt.push(end);
            prompt.extend(text("\n"));
        }
        prompt.push(begin);
        prompt.extend(text("assistant\n"));
        prompt
    }

    /// Reads tokens after what was read; a prompt shares the beginning of what was read before.
    fn read_on(&self, tokens: &[Token], end: Instant, timeout: Duration) -> Result<Vec<f32>, LocalError> {
        let mut read = self.read.borrow_mut();
        let (known, state) = &mut *read;
        let is_prompt = tokens.first() == Some(&self.turns.begin);
        let shared = if is_prompt { known.iter().zip(tokens).take_while(|(a, b)| a == b).count() } else { 0 };
        // The last token is always read anew: its logits are wanted.
        let shared = shared.min(tokens.len() - 1);
        if is_prompt {
            known.truncate(shared);
            state.keep_first(shared);
        }
        let mut logits = Vec::new();
        for part in tokens[shared..].chunks(STRIDE) {
            if Instant::now() > end {
                return Err(LocalError::Timeout { timeout_s: timeout.as_secs() });
            }
            let found = self.model.read(part, state).ok_or(LocalError::Length(self.model.context()))?;
            logits = found.to_vec();
            known.extend(part);
        }
        Ok(logits)
    }
}

fn tokens(tokenizer: &Arc<Tokenizer>, turns: Turns) -> TokEnv {
    let count = u32::try_from(tokenizer.len()).unwrap_or(u32::MAX);
    // Control tokens have no bytes: the schema can never let one through but the end.
    let words: Vec<Vec<u8>> = (0..count).map(|token| tokenizer.piece(token).unwrap_or_default().to_vec()).collect();
    let trie = TokTrie::from(&TokRxInfo::new(count, turns.end), &words);
    Arc::new(Tokens { trie, tokenizer: Arc::clone(tokenizer) })
}

fn schema_error(error: impl std::fmt::Display) -> LocalError {
    LocalError::Schema(format!("{error:#}"))
}
