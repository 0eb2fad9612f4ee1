"""Price models, one a file: whole numbers in, micro-dollars out, rounded half up once."""
