"""timm's models, and the small students and teachers that timm lacks."""
