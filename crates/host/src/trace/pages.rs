//! Pages of a Parquet file, looked at before they are decoded. The library reserves memory for as many values as a page's
//! heading claims; a damaged heading can claim more than any machine has, and a process that asks for it is ended.

use parquet::{
    column::{
        page::{Page, PageMetadata, PageReader},
        reader::{ColumnReader, get_column_reader},
    },
    errors::{ParquetError, Result},
    file::reader::RowGroupReader,
};

/// A reader of one column, whose pages are checked.
pub(super) fn checked_column(group: &dyn RowGroupReader, column: usize) -> Result<ColumnReader> {
    let pages = Box::new(Checked(group.get_column_page_reader(column)?));
    Ok(get_column_reader(group.metadata().schema_descr().column(column), pages))
}

struct Checked(Box<dyn PageReader>);

/// A value of a dictionary takes at least a byte; data pages are decoded a batch at a time, whatever they claim.
fn check(page: Page) -> Result<Page> {
    let claims_too_much =
        matches!(page, Page::DictionaryPage { .. }) && page.num_values() as usize > page.buffer().len();
    if claims_too_much {
        let (values, bytes) = (page.num_values(), page.buffer().len());
        return Err(ParquetError::General(format!("a dictionary claims {values} values in {bytes} bytes")));
    }
    Ok(page)
}

impl Iterator for Checked {
    type Item = Result<Page>;
    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Checked {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        self.0.get_next_page()?.map(check).transpose()
    }
    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.0.peek_next_page()
    }
    fn skip_next_page(&mut self) -> Result<()> {
        self.0.skip_next_page()
    }
    fn supports_deferred_dictionary(&self) -> bool {
        self.0.supports_deferred_dictionary()
    }
    fn take_deferred_dictionary(&mut self) -> Result<Option<Page>> {
        self.0.take_deferred_dictionary()?.map(check).transpose()
    }
    fn at_record_boundary(&mut self) -> Result<bool> {
        self.0.at_record_boundary()
    }
}
