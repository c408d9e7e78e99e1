//! Helps for the tests.
