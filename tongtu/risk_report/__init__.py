"""The risk of one match as a page for people who decide: HTML, PDF or PNG, in Chinese or English."""
