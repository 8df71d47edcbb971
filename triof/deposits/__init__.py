"""Deposits: the visit of an employee, from the open slot to a shredded or returned item; pages are in web/kiosk."""
