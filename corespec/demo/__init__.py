"""The demo: the whole way from pictures to a read meter, with the very commands a user would type."""
