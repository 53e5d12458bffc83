"""Plans and states for people (text, markdown) and machines (json). Pure: values in, text out."""
