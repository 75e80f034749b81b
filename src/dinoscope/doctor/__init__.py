"""What works here, and what explains two feature arrays that differ?"""
