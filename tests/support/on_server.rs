//! A database on a PostgreSQL server of one's own, as the cases that both kinds are put to see it.

use crate::postgres_server::Server;
use crate::support::Database;
use algo_trader::store::{StoreOptions, StoreUrl};

/// A database on a server.
pub struct OnServer<'s> {
    pub server: &'s mut Server,
    pub name: String,
}

impl OnServer<'_> {
    pub fn make(&self) {
        self.server.sql("postgres", &format!("CREATE DATABASE {}", self.name));
    }
}

impl Database for OnServer<'_> {
    fn url(&self) -> StoreUrl {
        self.server.url(&self.name).parse().expect("an address")
    }
    fn options(&self) -> StoreOptions {
        StoreOptions { ca_file: Some(self.server.ca_file()), ..StoreOptions::default() }
    }
    fn query(&mut self, sql: &str) -> Vec<Vec<String>> {
        let rows = self.server.client(&self.name).query(sql, &[]).expect(sql);
        rows.iter().map(|row| (0..row.len()).map(|c| row.get(c)).collect()).collect()
    }
    fn execute(&mut self, sql: &str) {
        self.server.sql(&self.name, sql);
    }
    fn down(&mut self) {
        self.server.down();
    }
    fn up(&mut self) {
        self.server.up();
    }
    fn delete(&mut self) {
        self.server.sql("postgres", &format!("DROP DATABASE {} WITH (FORCE)", self.name));
        self.make();
    }
}
