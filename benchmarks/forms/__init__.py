"""One recurrent layer in every form that can be had of it, timed side by side (docs/forms.md)."""
