"""The canao dialect and the interfaces that its operations implement."""
